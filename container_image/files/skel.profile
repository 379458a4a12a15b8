# Read by login shells; every terminal of a workspace is one.
[ -n "$BASH_VERSION" ] && [ -f ~/.bashrc ] && . ~/.bashrc
