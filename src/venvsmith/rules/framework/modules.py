"""Import names of distributions that are not installed, so that nobody can be asked.

Installed distributions say themselves which modules they bring; of an absent one only its name is
known. The table holds those whose import name is not their own name.
"""

from __future__ import annotations

from packaging.utils import canonicalize_name

# Seen in the RECORD of each distribution's current wheel, 2026-11.
IMPORT_NAMES: dict[str, tuple[str, ...]] = {
    "absl-py": ("absl",),
    "antlr4-python3-runtime": ("antlr4",),
    "attrs": ("attr", "attrs"),
    "beautifulsoup4": ("bs4",),
    "biopython": ("Bio",),
    "charset-normalizer": ("charset_normalizer",),
    "django-rest-framework": ("rest_framework",),
    "djangorestframework": ("rest_framework",),
    "docstring-parser": ("docstring_parser",),
    "edge-tts": ("edge_tts",),
    "faiss-cpu": ("faiss",),
    "ffmpeg-python": ("ffmpeg",),
    "gitpython": ("git",),
    "google-api-core": ("google",),
    "google-auth": ("google",),
    "grpcio": ("grpc",),
    "importlib-metadata": ("importlib_metadata",),
    "jinja2": ("jinja2",),
    "levenshtein": ("Levenshtein",),
    "lightning-utilities": ("lightning_utilities",),
    "markdown-it-py": ("markdown_it",),
    "markupsafe": ("markupsafe",),
    "mysqlclient": ("MySQLdb",),
    "onnxruntime-gpu": ("onnxruntime",),
    "opencv-contrib-python": ("cv2",),
    "opencv-contrib-python-headless": ("cv2",),
    "opencv-python": ("cv2",),
    "opencv-python-headless": ("cv2",),
    "pillow": ("PIL",),
    "protobuf": ("google",),
    "psycopg2-binary": ("psycopg2",),
    "pycryptodome": ("Crypto",),
    "pygithub": ("github",),
    "pyjwt": ("jwt",),
    "pymupdf": ("fitz", "pymupdf"),
    "pynacl": ("nacl",),
    "pyopenssl": ("OpenSSL",),
    "pyserial": ("serial",),
    "pysocks": ("socks",),
    "python-dateutil": ("dateutil",),
    "python-docx": ("docx",),
    "python-dotenv": ("dotenv",),
    "python-jose": ("jose",),
    "python-json-logger": ("pythonjsonlogger",),
    "python-magic": ("magic",),
    "python-multipart": ("multipart", "python_multipart"),
    "python-slugify": ("slugify",),
    "pytorch-metric-learning": ("pytorch_metric_learning",),
    "pyyaml": ("yaml", "_yaml"),
    "pyzmq": ("zmq",),
    "ruamel-yaml": ("ruamel",),
    "scikit-image": ("skimage",),
    "scikit-learn": ("sklearn",),
    "setuptools": ("setuptools", "pkg_resources", "_distutils_hack"),
    "sentry-sdk": ("sentry_sdk",),
    "silero-vad": ("silero_vad",),
    "soundfile": ("soundfile", "_soundfile"),
    "tensorflow-cpu": ("tensorflow",),
    "typing-extensions": ("typing_extensions",),
    "websocket-client": ("websocket",),
}
STAND_INS: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "opencv-python",
            "opencv-python-headless",
            "opencv-contrib-python",
            "opencv-contrib-python-headless",
        }
    ),
    frozenset({"onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "onnxruntime-directml"}),
    frozenset({"psycopg2", "psycopg2-binary"}),
    frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly"}),
    frozenset({"faiss-cpu", "faiss-gpu", "faiss"}),
    frozenset({"pycrypto", "pycryptodome"}),
    frozenset({"pillow", "pillow-simd"}),
    frozenset({"uvloop", "winloop"}),
    frozenset({"mysqlclient", "pymysql"}),
    frozenset({"lightning", "pytorch-lightning"}),
    frozenset({"triton", "pytorch-triton", "pytorch-triton-rocm", "triton-rocm", "triton-xpu"}),
)
"""Distributions that bring the same modules, so that one may stand in for another."""


def modules_of(name: str) -> tuple[str, ...]:
    """Return the import names that an absent distribution would most likely bring."""
    normal = canonicalize_name(name)
    known = IMPORT_NAMES.get(normal, ())
    return known or (normal.replace("-", "_"), normal.removeprefix("python-").replace("-", "_"))


def stand_ins(name: str) -> frozenset[str]:
    """Return the distributions that bring the same modules as the named one."""
    normal = canonicalize_name(name)
    found = next((group for group in STAND_INS if normal in group), frozenset[str]())
    return found - {normal}


def names_of(module: str) -> frozenset[str]:
    """Return the names of distributions that would most likely bring a top-level module."""
    known = {name for name, modules in IMPORT_NAMES.items() if module in modules}
    return frozenset({canonicalize_name(module), *known})
