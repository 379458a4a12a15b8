# shellcheck shell=bash
# One line for each step of the set-up: what is done, how long it took, and for a
# failure what went wrong and what to do. Sourced by script/setup and script/test.

if [ -t 1 ]; then
    green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m' erase=$'\r\e[K'
else
    green='' red='' dim='' plain='' erase=''
fi
logs=.cache/logs
steps_done=0
running_step=''

# die TEXT [HINT]
die() {
    printf '%s%sfailed%s  %s\n' "$erase" "$red" "$plain" "$1" >&2
    [ -z "${2-}" ] || printf '        %s\n' "$2" >&2
    exit 1
}

milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

seconds_since() {
    local passed=$(($(milliseconds) - $1))
    printf '%d.%d s' $((passed / 1000)) $((passed % 1000 / 100))
}

# report ok|failed LABEL START
report() {
    local colour=$green dots='..............................'
    [ "$1" = ok ] || colour=$red
    printf '%s%s%-6s%s  %s %s %s\n' "$erase" "$colour" "$1" "$plain" \
        "$2" "${dots:${#2}}" "$(seconds_since "$3")"
}

# show_progress LABEL START LOG: what a person sees while a step runs. On a
# terminal a line that changes; elsewhere a line every 15 s, so that nobody
# takes a long build for a dead one.
show_progress() {
    local label=$1 start=$2 log=$3 spin='|/-+' turn=0 last width
    while sleep 0.2 && kill -0 $$ 2> /dev/null; do
        turn=$((turn + 1))
        if [ -n "$erase" ]; then
            width=$(($(tput cols 2> /dev/null || echo 80) - ${#label} - 20))
            last=$(tail -n 1 "$log" 2> /dev/null | tr -d '\000-\037\177')
            [ "$width" -gt 0 ] || last=''
            printf '%s%s  %s (%s) %s%s%s' "$erase" "${spin:turn%4:1}" "$label" \
                "$(seconds_since "$start")" "$dim" "${last:0:width>0?width:0}" "$plain"
        elif [ $((turn % 75)) -eq 0 ]; then
            printf '…       still on %s (%s)\n' "$label" "$(seconds_since "$start")"
        fi
    done
}

# step NAME LABEL HINT COMMAND...: run a step with its output in a log. A step
# that knows better what is missing says it with `explain`.
step() {
    local name=$1 label=$2 hint=$3 start code watcher
    shift 3
    mkdir -p "$logs"
    log=$logs/$name.log
    start=$(milliseconds)
    rm -f "$log.hint"
    # A process group of its own, to be ended as a whole on Ctrl-C. It holds the
    # set-up's lock too: where this script is killed, the next one waits for it.
    set -m
    ("$@") > "$log" 2>&1 < /dev/null &
    running_step=$!
    set +m
    show_progress "$label" "$start" "$log" 9>&- &
    watcher=$!
    code=0
    wait "$running_step" || code=$?
    running_step=''
    kill "$watcher" 2> /dev/null || true
    wait "$watcher" 2> /dev/null || true
    steps_done=$((steps_done + 1))
    if [ "$code" -eq 0 ]; then
        report ok "$label" "$start"
        return
    fi
    report failed "$label" "$start" >&2
    tail -n 20 "$log" | sed 's/^/        | /' >&2
    [ ! -s "$log.hint" ] || hint=$(cat "$log.hint")
    printf '        %s\n        The whole log: %s\n' "$hint" "$log" >&2
    return "$code"
}

explain() { echo "$*" > "$log.hint"; }

end_running_step() {
    [ -z "$running_step" ] || kill -s TERM -- "-$running_step" 2> /dev/null
    printf '%s' "$erase"
    exit 130
}
trap end_running_step INT TERM
