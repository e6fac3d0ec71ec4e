"""Ask a frozen application what it can import, from outside.

A frozen application is no interpreter: ``APP -c "import x"`` hands ``-c`` to the application. Put
one line at the very start of its entry script instead:

    import venvsmith_diagnose; venvsmith_diagnose.run()

Then ``APP venvsmith-diagnose [--json] [MODULE...]`` prints what it knows of itself and ends; any
other start goes on as if the line were not there. It also runs unfrozen, to compare. One file, the
standard library alone, Python 3.8 and later.
"""

import importlib
import json
import os
import platform
import sys
import traceback
from typing import Any, Dict, Iterator, Optional, Sequence

WORD = "venvsmith-diagnose"
SCHEMA = "venvsmith/diagnose/1"
VARIABLES = ("LD_LIBRARY_PATH", "LD_LIBRARY_PATH_ORIG", "DYLD_LIBRARY_PATH", "PATH", "PYTHONPATH",
             "PYTHONHOME", "HF_HOME", "TORCH_HOME", "CUDA_VISIBLE_DEVICES")  # fmt: skip


def run() -> None:
    """Answer and exit where the command line asks; return otherwise."""
    if sys.argv[1:2] != [WORD]:
        return
    words = sys.argv[2:]
    as_json = "--json" in words
    mark = next((w[len("--mark=") :] for w in words if w.startswith("--mark=")), "")
    answer = diagnose([w for w in words if not w.startswith("--")])
    if as_json:
        print(mark + json.dumps(answer, sort_keys=True))
    else:
        print("\n".join(told(answer)))
    sys.stdout.flush()
    os._exit(0 if all(i["status"] == "ok" for i in answer["imports"]) else 1)


def diagnose(modules: Sequence[str]) -> Dict[str, Any]:
    """Return what is known of this process, and what came of importing the modules."""
    return {
        "schema": SCHEMA,
        "frozen": bool(getattr(sys, "frozen", False)),
        "meipass": getattr(sys, "_MEIPASS", None),
        "executable": sys.executable,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "platform": sys.platform,
        "path": list(sys.path),
        "environment": {k: os.environ[k] for k in VARIABLES if k in os.environ},
        "imports": [imported(name) for name in modules],
        "torch": torch_backends(),
        "audio": audio_backends(),
    }


def imported(name: str) -> Dict[str, Any]:
    """Import one module; return its status, version and place, or why it failed."""
    result: Dict[str, Any] = {"module": name, "status": "ok"}
    try:
        module = importlib.import_module(name)
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)
        result.update(
            status="failed",
            exception=type(error).__name__,
            message=str(error),
            missing=error.name if isinstance(error, ModuleNotFoundError) else None,
            traceback=["%s:%s in %s" % (f.filename, f.lineno, f.name) for f in last],
        )
        return result
    spec = getattr(module, "__spec__", None)
    result["file"] = getattr(module, "__file__", None)
    version = getattr(module, "__version__", None)
    result["version"] = version if isinstance(version, str) else None
    if result["file"] is None and spec is not None and spec.origin is None:
        result["status"] = "namespace"
    return result


def torch_backends() -> Optional[Dict[str, Any]]:
    """Return what an imported torch says of its devices; None where none was imported."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    try:
        mps = getattr(torch.backends, "mps", None)
        return {
            "version": torch.__version__,
            "cuda_build": torch.version.cuda,
            "cuda": torch.cuda.is_available(),
            "mps": bool(mps and mps.is_available()),
        }
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}


def audio_backends() -> Dict[str, Any]:
    """Return how torchaudio and torchcodec, where imported, read audio."""
    found: Dict[str, Any] = {}
    audio = sys.modules.get("torchaudio")
    if audio is not None:
        try:
            lister = getattr(audio, "list_audio_backends", None)
            found["torchaudio"] = list(lister()) if lister else []
        except Exception as error:
            found["torchaudio"] = "%s: %s" % (type(error).__name__, error)
    if "torchcodec" in sys.modules:
        found["torchcodec"] = imported("torchcodec.decoders")["status"]
    return found


def told(answer: Dict[str, Any]) -> Iterator[str]:
    """Yield the answer's lines for a person."""
    frozen = "frozen, files at %s" % answer["meipass"] if answer["frozen"] else "not frozen"
    yield "Python %s on %s %s, %s" % (
        answer["python"], answer["platform"], answer["machine"], frozen
    )  # fmt: skip
    yield "path: %s" % ":".join(answer["path"])
    for name, value in sorted(answer["environment"].items()):
        yield "%s=%s" % (name, value)
    for one in answer["imports"]:
        if one["status"] == "ok":
            yield "ok      %s %s (%s)" % (one["module"], one["version"] or "", one["file"])
        else:
            said = "%s: %s" % (one.get("exception", one["status"]), one.get("message", ""))
            yield "failed  %s: %s" % (one["module"], said)
    if answer["torch"]:
        yield "torch: %s" % json.dumps(answer["torch"], sort_keys=True)
    for name, value in sorted(answer["audio"].items()):
        yield "%s: %s" % (name, value)


if __name__ == "__main__":
    sys.argv.insert(1, WORD)
    run()
