# shellcheck shell=bash
# What was made, and from what: a step is skipped while the files it reads are the
# ones it read last time. A stamp is taken away before its step and comes back
# after it, so a step that was killed half-way runs again.

stamps=.cache/stamps

# Two set-ups at once would trample each other; the second finds all done.
take_lock() {
    mkdir -p .cache 2> /dev/null && [ -w .cache ] && [ -w . ] ||
        die "$PWD is not yours to write to" "It was set up by another user: sudo $0, or sudo chown -R $(id -un) ."
    exec 9> .cache/setup.lock
    flock -n 9 && return
    echo "…       another set-up is running here; waiting for it"
    flock 9
}

# digest PATH...: one hash over the names and contents of files and folders.
# What tools leave in a folder of sources is not part of it.
digest() {
    find "$@" \( -name node_modules -o -name __pycache__ \) -prune -o -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-32
}

# stamped NAME DIGEST PRODUCT
stamped() {
    local stamp=''
    [ -e "$3" ] && [ -e "$stamps/$1" ] && read -r stamp < "$stamps/$1" && [ "$stamp" = "$2" ]
}

# stamped_step NAME LABEL HINT PRODUCT DIGEST COMMAND...
stamped_step() {
    local name=$1 label=$2 hint=$3 product=$4 digest=$5
    shift 5
    ! stamped "$name" "$digest" "$product" || return 0
    mkdir -p "$stamps"
    rm -f "$stamps/$name"
    step "$name" "$label" "$hint" "$@" || return
    echo "$digest" > "$stamps/.$name"
    mv "$stamps/.$name" "$stamps/$name"
}
