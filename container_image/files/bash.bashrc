# Read by every interactive bash, and cheap: a first prompt waits for it.
[ -z "${PS1-}" ] && return

. /etc/profile.d/rootblood.sh

shopt -s checkwinsize histappend
HISTSIZE=20000
HISTFILESIZE=40000
HISTCONTROL=ignoreboth
# A workspace may be stopped at any prompt: keep the history as it is made.
PROMPT_COMMAND='history -a'

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
