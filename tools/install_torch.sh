#!/bin/sh
# Installs the torch version of constraints.txt, as a CPU build where the plain one would bring CUDA.
# usage: tools/install_torch.sh PYTHON TORCH     TORCH: cpu or cuda
# TORCH_INDEX: package index with CPU builds (default: PyTorch's own)
set -eu
python=$1 kind=$2
index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
version=$(sed -n 's/^torch==\([^;]*\).*/\1/p' constraints.txt)

install() {
    "$python" -m pip install --quiet --disable-pip-version-check -c constraints.txt "$@"
}
installed() { # the installed version, or nothing
    "$python" -c "import importlib.metadata as m; print(m.version('torch'))" 2>/dev/null || true
}

case $kind in cpu | cuda) ;; *)
    echo "error: TORCH is '$kind'; it must be cpu or cuda" >&2
    exit 1 ;;
esac
case $kind-$(installed) in
cuda-*+cpu)
    echo "Removing the CPU build of torch ..."
    "$python" -m pip uninstall --quiet --yes torch ;;
*-"$version" | *-"$version"+*)
    echo "torch $(installed) is installed already."
    exit 0 ;;
esac
if [ "$kind" = cuda ] || [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "Installing torch $version ..."
    install "torch==$version"
    exit 0
fi
echo "Installing torch $version+cpu from where pip looks ... (an error here only means that it is not there)"
install "torch==$version+cpu" && exit 0
echo "Installing torch $version+cpu from $index ..."
install --retries 1 --extra-index-url "$index" "torch==$version+cpu" && exit 0
echo "No CPU build of torch $version could be had. Installing the plain one: it brings CUDA, some gigabytes."
install "torch==$version"
