# shellcheck shell=bash
# Apps beyond the first set-up: images of their own, and folders that workspaces see.

jupyter=jupyter:1.0.0

# need_layer NAME LABEL IMAGE: an image on top of the workspaces' own.
need_layer() {
    local digest
    digest=$(digest_of_image)-$(digest "container_image/$1")
    [ "$(source_of "$3")" != "$digest" ] || return 0
    # shellcheck disable=SC2154 # of project.sh
    step "$1" "$2" "$network_hint" \
        build_image "$digest" "$3" "container_image/$1" --build-arg "BASE=$image"
}

need_jupyter() { need_layer jupyter "image with JupyterLab" "$jupyter"; }

# fill_shelf NAME IMAGE: take the folder out of an image that is nothing else. What is there keeps
# its place until the next time, for workspaces that run with it.
fill_shelf() {
    local shelves=${ROOTBLOOD_DATA_DIR:-data}/apps container
    mkdir -p "$shelves"
    rm -rf "$shelves/.$1.new" "$shelves/.$1.before"
    container=$(docker create "$2")
    docker cp "$container:/" "$shelves/.$1.new" || { docker rm "$container"; return 1; }
    docker rm "$container"
    # What the engine puts into every container is none of it.
    (cd "$shelves/.$1.new" && rm -rf .dockerenv dev etc proc sys)
    source_of "$2" > "$shelves/.$1.new/.source"
    chmod 755 "$shelves" "$shelves/.$1.new"
    [ ! -e "$shelves/$1" ] || mv "$shelves/$1" "$shelves/.$1.before"
    mv "$shelves/.$1.new" "$shelves/$1"
}

# need_shelf NAME
need_shelf() {
    local shelf=${ROOTBLOOD_DATA_DIR:-data}/apps/$1 made=''
    need_layer "$1" "$1" "rootblood-$1:1.0.0"
    [ ! -e "$shelf/.source" ] || read -r made < "$shelf/.source"
    [ "$made" = "$(source_of "rootblood-$1:1.0.0")" ] ||
        step "$1-shelf" "$1 for workspaces" "Is there room in ${ROOTBLOOD_DATA_DIR:-data}?" \
            fill_shelf "$1" "rootblood-$1:1.0.0"
}
