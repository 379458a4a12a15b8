"""Rows and findings of the commons as the API shows them."""

from dataclasses import asdict

from models import Level, Proposal, ProposalComment, Repository, User, Visibility
from orchestrator.commons import finding
from orchestrator.commons.activity import Happening
from orchestrator.commons.diffs import Diff
from orchestrator.commons.finding import Listed
from orchestrator.commons.history import Commit
from orchestrator.commons.presence import Person
from orchestrator.commons.proposals import View
from orchestrator.commons.reading import Ref
from web.api import schema_commons as schema


def repository(viewer: User, one: Listed) -> schema.Repository:
    """Return a repository that ``viewer`` may know."""
    return repositories(viewer, [one])[0]


def repositories(viewer: User, found: list[Listed]) -> list[schema.Repository]:
    """Return repositories that ``viewer`` may know."""
    rows = [one.row for one in found]
    levels, parents = finding.levels(viewer, rows), finding.parents(viewer, rows)
    return [_repository(one, levels[one.row.id], parents.get(one.row.id)) for one in found]


def _repository(one: Listed, level: Level | None, parent: Repository | None) -> schema.Repository:
    row = one.row
    assert level is not None
    return schema.Repository(
        owner=row.owner.username,
        name=row.name,
        description=row.description,
        visibility=row.visibility,
        archived=row.archived,
        protected=row.protected,
        default_branch=row.default_branch,
        parent=parent.slug if parent else None,
        stars=one.stars,
        forks=one.forks,
        language=row.language,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
        pushed_at=row.pushed_at,
        level=level,
        path=f"/global/{row.slug}" if row.visibility is Visibility.PUBLIC else None,
        url=f"/git/{row.slug}.git",
    )


def facts(row: Repository) -> schema.Facts:
    """Return what was measured after the last push."""
    return schema.Facts(
        head=row.facts.get("head"),
        commits=row.facts.get("commits", 0),
        contributors=row.facts.get("people", []),
        languages=row.facts.get("languages", {}),
    )


def refs(found: list[Ref]) -> schema.Refs:
    """Return branches or tags."""
    return schema.Refs(refs=[schema.Ref(**asdict(one)) for one in found])


def commit(one: Commit) -> schema.Commit:
    """Return a commit."""
    return schema.Commit(**asdict(one) | {"parents": list(one.parents)})


def commits(found: list[Commit]) -> list[schema.Commit]:
    """Return commits in their order."""
    return [commit(one) for one in found]


def diff(found: Diff) -> schema.Diff:
    """Return what changed."""
    return schema.Diff.model_validate(asdict(found))


def proposal(viewer: User, row: Proposal) -> schema.Proposal:
    """Return a proposal, with its source as far as ``viewer`` may know of that."""
    known = row.source is not None and finding.level_of(viewer, row.source) is not None
    return schema.Proposal(
        number=row.number,
        title=row.title,
        text=row.text,
        stage=row.stage,
        author=row.author,
        source=row.source.slug if row.source and known else None,
        source_branch=row.source_branch,
        target_branch=row.target_branch,
        head=row.head,
        merge_commit=row.merge_commit,
        method=row.method,
        merged_by=row.merged_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ended_at=row.ended_at,
    )


def view(viewer: User, row: Proposal, found: View) -> schema.ProposalView:
    """Return a proposal with its content."""
    return schema.ProposalView(
        proposal=proposal(viewer, row),
        gone=found.gone,
        base=found.base,
        conflicts=found.conflicts,
        commits=commits(found.commits),
        diff=diff(found.diff) if found.diff else None,
    )


def comment(row: ProposalComment) -> schema.Comment:
    """Return what somebody said."""
    return schema.Comment(
        id=row.id,
        author=row.author,
        text=row.text,
        path=row.path,
        side=row.side,
        line=row.line,
        commit=row.commit_id,
        created_at=row.created_at,
    )


def happening(row: Happening) -> schema.Happening:
    """Return what somebody did."""
    return schema.Happening(
        id=row.id,
        deed=row.deed,
        actor=row.actor.username,
        repository=row.repository.slug if row.repository else None,
        facts=row.facts,
        at=row.at,
    )


def person(one: Person) -> schema.Person:
    """Return one of the people of this server."""
    return schema.Person(**asdict(one))
