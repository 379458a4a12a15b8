# Read by every interactive bash, and cheap: a first prompt waits for it.
[ -z "${PS1-}" ] && return

. /etc/profile.d/rootblood.sh

shopt -s checkwinsize histappend
HISTSIZE=20000
HISTFILESIZE=40000
HISTCONTROL=ignoreboth
# A workspace may be stopped at any prompt: keep the history as it is made. In a
# full home it cannot be kept, which is no news at every prompt.
PROMPT_COMMAND='history -a 2> /dev/null'

# Say so when the home becomes full: once at 90 %, 95 % and 99 %. bash cannot ask
# a file system by itself, and stat(1) takes some milliseconds: every 30 s at most.
_rootblood_home() {
    [ "$EPOCHSECONDS" -ge "${_rootblood_look_at:-0}" ] || return
    _rootblood_look_at=$((EPOCHSECONDS + 30))
    local left blocks size percent step=0 unit=MiB scale=1048576 used all
    read -r left blocks size <<< "$(stat -f -c '%a %b %S' "$HOME" 2> /dev/null)"
    [ "${blocks:-0}" -gt 0 ] || return
    percent=$(((blocks - left) * 100 / blocks))
    [ "$percent" -lt 90 ] || step=90
    [ "$percent" -lt 95 ] || step=95
    [ "$percent" -lt 99 ] || step=99
    if [ "$step" -gt "${_rootblood_told:-0}" ]; then
        [ $((blocks * size)) -lt 1073741824 ] || unit=GiB scale=1073741824
        used=$(((blocks - left) * size * 10 / scale)) all=$((blocks * size * 10 / scale))
        printf '\e[33mYour home is %d %% full (%d.%d of %d.%d %s).%s\e[0m\n' "$percent" \
            $((used / 10)) $((used % 10)) $((all / 10)) $((all % 10)) "$unit" \
            " Delete what you do not need, or old snapshots on the page 'Home'." >&2
    fi
    _rootblood_told=$step
}
[ "$ROOTBLOOD_HOME_CAPPED" != 1 ] || PROMPT_COMMAND="_rootblood_home; $PROMPT_COMMAND"

PROMPT_DIRTRIM=3
PS1='\[\e[32m\]\u@'"${ROOTBLOOD_WORKSPACE:-\\h}"'\[\e[0m\]:\[\e[34m\]\w\[\e[0m\]\$ '

alias ls='ls --color=auto' ll='ls -lh' la='ls -lhA'
alias grep='grep --color=auto' diff='diff --color=auto'

# bash-completion takes longer to read than all the rest, so the first Tab
# reads it. 124 tells bash to look again (bash(1), "Programmable Completion").
_rootblood_completion() {
    complete -r -D
    . /usr/share/bash-completion/bash_completion
    _completion_loader "$@"
}
complete -D -F _rootblood_completion
