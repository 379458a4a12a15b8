# shellcheck shell=bash
# What comes from the distribution: packages, and a running container engine.

# The administrator's tools are not on everybody's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

has() { command -v "$1" > /dev/null; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The steps run in the background, where sudo cannot ask for a password.
prepare_root() {
    [ "$(id -u)" != 0 ] || return 0
    has sudo || die "$1" "You are not root and there is no sudo. As root: $2"
    sudo -n true 2> /dev/null || sudo -v || die "$1" "As root: $2"
}

# install_packages PACKAGE...: a foreign package source may be broken, so only the
# installation itself may fail. Servers that it starts must not keep our lock (9).
install_packages() {
    as_root apt-get update || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" 9>&-
}

# need_packages NAME LABEL PACKAGE...
need_packages() {
    local name=$1 label=$2 command
    shift 2
    [ $# -gt 0 ] || return 0
    command="apt-get update && apt-get install -y $*"
    has apt-get || die "missing: $*" \
        "There is no apt-get here: install what these Debian packages bring, and run this again."
    prepare_root "missing: $*" "$command"
    step "$name" "$label" "Is the distribution's package server reachable? As root: $command" \
        install_packages "$@"
}

has_venv() { python3 -c 'import ensurepip, venv' 2> /dev/null; }

# Print the packages the server needs and this machine lacks.
missing_for_server() {
    has git || echo git
    has iptables || echo iptables
    has ip || echo iproute2
    has update-ca-certificates || [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    # Each home is an image with a file system of its own.
    { has mkfs.ext4 && has resize2fs && has e2undo; } || echo e2fsprogs
    { has mount && has losetup; } || echo mount
    has python3 || echo python3
    [ -x .venv/bin/python ] || has_venv || echo python3-venv
    [ -z "${DOCKER_HOST-}" ] || { has docker || echo docker.io; return; }
    # A machine that has Docker's own packages must not get the distribution's.
    has docker && { has dockerd || [ -S /var/run/docker.sock ]; } && return
    echo docker.io
    # The engine loads a profile into a kernel that has AppArmor, or starts nothing.
    [ "$(cat /sys/module/apparmor/parameters/enabled 2> /dev/null)" != Y ] ||
        has apparmor_parser || echo apparmor
}


# Print the packages the tests need and this machine lacks.
missing_for_tests() {
    has chromium || has chromium-browser || has google-chrome || echo chromium
    compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || echo postgresql
    compgen -G '/usr/share/fonts/opentype/noto/*CJK*' > /dev/null || echo fonts-noto-cjk
    has ip || echo iproute2
    has pigz || echo pigz
    has restic || echo restic # without a container around it
    has rclone || echo rclone # the other machine that snapshots are sent to
    has dpkg-source || echo dpkg-dev # unpacks git's own tests
    has perl || echo perl # which they use
    has curl || echo curl
    has nginx || echo nginx-light # the reverse proxy of the documents, and to compare with
}

engine_answer() { timeout 10 docker version --format '{{.Server.Version}}' 2>&1; }

# Run where no service manager would: detached from this terminal and its signals.
launch_engine() {
    local data=${ROOTBLOOD_DATA_DIR:-data}
    mkdir -p "$data"
    # shellcheck disable=SC2016 # for the inner shell
    as_root setsid -f sh -c 'exec dockerd >> "$1" 2>&1 < /dev/null' dockerd "$data/dockerd.log" 9>&-
}

start_engine() {
    local waited=0 data=${ROOTBLOOD_DATA_DIR:-data}
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
    # The package's own script may have started one that has yet to answer.
    elif ! pgrep -x dockerd > /dev/null; then
        has dockerd || { explain "There is no dockerd: as root apt-get install docker.io"; return 1; }
        launch_engine
    fi
    until engine_answer; do
        waited=$((waited + 1))
        if [ "$waited" -ge 120 ]; then
            tail -n 20 "$data/dockerd.log" || true
            explain "dockerd did not answer within a minute; its last lines are above."
            return 1
        fi
        sleep 0.5
    done
}

need_engine() {
    local answer
    has docker || need_packages docker-cli "docker command" docker-cli
    ! answer=$(engine_answer) || return 0
    case "$answer" in
        *"permission denied"*)
            die "the engine's socket is closed to $(id -un)" \
                "Run: sudo usermod -aG docker $(id -un), log in again, or use sudo $0" ;;
    esac
    [ -z "${DOCKER_HOST-}" ] ||
        die "no container engine answers at DOCKER_HOST=$DOCKER_HOST" "Start it, or unset DOCKER_HOST."
    prepare_root "the container engine is not running" "dockerd"
    step engine "docker engine" "Start the Docker engine, then run this again." start_engine
}
