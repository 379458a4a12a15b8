# Read by every interactive bash, after /etc/bash.bashrc (prompt, history,
# completion). Your own settings go here.
case $- in *i*) ;; *) return ;; esac
