# Sourced by the other scripts: makes .venv with the package in it, once, and again when the pins change.
# Needs Python 3.11 or newer; installs Debian's python3 and python3-venv where they are missing and we may.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

known_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

find_python() {
  known_python || { apt_install python3 python3-venv && known_python; } || {
    echo "bnnedge needs Python 3.11 or newer; found none on the path." >&2
    echo "Hint: install it (Debian 12: apt-get install python3 python3-venv), or set PYTHON." >&2
    return 1
  }
}

apt_install() {  # apt_install PACKAGE...: as root or through sudo, else say what to do
  local as_root=()
  if [ "$(id -u)" != 0 ]; then as_root=(sudo -n); fi
  if ! command -v apt-get >/dev/null \
    || ! { DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q "$@" >&2 \
      || { "${as_root[@]}" apt-get update -q >&2 \
        && DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q "$@" >&2; }; }; then
    echo "Could not install $*. Hint: as root, apt-get install $*" >&2
    return 1
  fi
}

# ensure_isolated DIR PINS WHAT: an environment of its own for what does not go together with ours, once, and again
# when its pins change. They are installed as they stand, without dependencies.
ensure_isolated() {
  local dir=$1 pins=$2 what=$3 python stamp wanted
  stamp=$dir/.bnnedge-installed
  wanted=$(cksum < "$pins")
  mkdir -p "$(dirname "$dir")"
  exec 9> "$dir.lock"
  flock 9  # two at once would install into one another
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exec 9>&-
    return
  fi
  python=$(find_python)
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then apt_install python3-venv; fi
  echo "Installing $what into $dir, once ..." >&2
  "$python" -m venv --clear "$dir"
  if ! "$dir/bin/python" -m pip install -q --no-deps -r "$pins" >&2; then
    echo "Could not install it. Hint: it needs a package index, and Python 3.11 to 3.14." >&2
    return 1
  fi
  echo "$wanted" > "$stamp"
  exec 9>&-  # or programs that the script starts would go on holding it
}

ensure_env() {
  local python stamp wanted
  stamp=$venv/.bnnedge-installed
  wanted=$(cat "$root/pyproject.toml" "$root/constraints.txt" | cksum)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return; fi
  exec 9> "$root/.venv.lock"
  flock 9
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exec 9>&-
    return
  fi
  python=$(find_python)
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then apt_install python3-venv; fi
  echo "Installing bnnedge and its dependencies into $venv (about 3 GB, once) ..." >&2
  # What is there stays in use meanwhile, when only a pin has changed; a half-made environment is made anew.
  if [ ! -f "$stamp" ]; then "$python" -m venv --clear "$venv"; fi
  "$venv/bin/python" -m pip install -q --no-warn-script-location -c "$root/constraints.txt" -e "$root[dev]"
  echo "$wanted" > "$stamp"
  exec 9>&-
}
