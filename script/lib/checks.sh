# shellcheck shell=bash
# The checks that script/check and script/test share. Each prints one line, and the
# whole output where it fails. The others run all the same.

failed=()

# check NAME COMMAND...
check() {
    # shellcheck disable=SC2154 # of progress.sh
    local name=$1 start log=$logs/check-$1.log
    shift
    mkdir -p "$logs"
    start=$(milliseconds)
    if "$@" > "$log" 2>&1; then
        report ok "$name" "$start"
    else
        report failed "$name" "$start"
        cat "$log"
        failed+=("$name")
    fi
}

check_types_of_front_end() { (need_node && cd frontend && npm run --silent check); }

check_sources() {
    check ruff-lint .venv/bin/python -m ruff check
    check ruff-format .venv/bin/python -m ruff format --check
    check mypy .venv/bin/python -m mypy
    check tsc check_types_of_front_end
}

# Where nobody watches, a machine that stalls must not be the verdict: what failed runs once
# more, alone and in the open. What fails twice has failed.
once_more() {
    [ "${CI:-}" = true ] || return 1
    echo "…       once more, what has just failed"
    .venv/bin/python -m pytest --last-failed --last-failed-no-failures none
}

# run_tests PYTEST-ARGUMENT...: its closing line is the last that a good run prints.
run_tests() {
    .venv/bin/python -m pytest "$@" || once_more || failed+=(pytest)
    [ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; return 1; }
}
