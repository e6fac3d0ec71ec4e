"""What the judged interpreter itself runs: it says who it is, then imports modules in order.

Sent with ``-c``, so that ``sys.path`` is what a user's own program would see. Nothing but builtins
and what every start has loaded already may be used: a ``json.py`` in the working directory, or an
old Python, must not disturb. Answers are Python literals, one a line, on the file descriptor given.
"""

SOURCE = r"""
import sys, os, time
def _main(fd, names, torch):
    def say(**fact):
        data = repr(fact).encode("utf-8", "backslashreplace") + b"\n"
        while data:
            data = data[os.write(fd, data):]
    def cut(text, limit=4000):
        try:
            text = str(text)
        except BaseException as exc:
            text = "<" + type(exc).__name__ + " while it was printed>"
        return text if len(text) <= limit else text[:limit // 2] + " ... " + text[-limit // 2:]
    def kind(exc):
        return type(exc).__name__
    def causes(exc):
        found, seen = [], set()
        while exc is not None and len(found) < 8 and id(exc) not in seen:
            seen.add(id(exc))
            exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)
            if exc is not None:
                found.append(kind(exc) + ": " + cut(exc, 2000))
        return tuple(found)
    def frames(exc):
        found, step = [], exc.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            if not code.co_filename.startswith("<"):
                found.append("%s:%d in %s" % (code.co_filename, step.tb_lineno, code.co_name))
            step = step.tb_next
        return tuple(found[:20] + found[max(20, len(found) - 20):])
    say(version=".".join(map(str, sys.version_info[:3])), prefix=sys.prefix,
        sys_path=tuple(cut(item) for item in sys.path))
    for name in names:
        say(start=name)
        begin = time.time()
        fact = {"module": name}
        try:
            module = __import__(name)
            module = sys.modules.get(name, module)
            file = getattr(module, "__file__", None)
            path = getattr(module, "__path__", None)
            fact["status"] = "namespace" if file is None and path is not None else "ok"
            if fact["status"] == "namespace":
                fact["paths"] = tuple(str(item) for item in path)[:10]
        except BaseException as exc:
            missing = exc.name if isinstance(exc, ModuleNotFoundError) else None
            missing = cut(missing, 500) if isinstance(missing, str) else None
            fact.update(status="failed", exception=kind(exc), message=cut(exc), missing=missing,
                        traceback=frames(exc), causes=causes(exc))
        fact["seconds"] = round(time.time() - begin, 3)
        say(**fact)
    if torch and "torch" in sys.modules:
        torch = sys.modules["torch"]
        try:
            cuda = torch.cuda.is_available()
            say(torch=dict(
                version=str(torch.__version__), cuda=torch.version.cuda,
                hip=getattr(torch.version, "hip", None),
                archs=tuple(map(str, torch.cuda.get_arch_list() if cuda else ())),
                devices=tuple("%d.%d" % torch.cuda.get_device_capability(index)
                              for index in range(torch.cuda.device_count())) if cuda else (),
                available=bool(cuda)))
        except BaseException:
            pass  # a torch that cannot tell: nothing is known of its devices
    say(done=True)
_fd, _names, _torch = int(sys.argv[1]), sys.argv[3:], sys.argv[2] == "1"
sys.argv = ["-c"]
_main(_fd, _names, _torch)
sys.stdout.flush(); sys.stderr.flush()
os._exit(0)
"""
