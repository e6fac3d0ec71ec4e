"""What the commands' help pages say besides their options: data, written by `manual`.

Tests hold each example against the options that there are, and each page against 80 columns.
"""

from __future__ import annotations

from venvsmith.cli.manual import Page

CONFIG = (
    "venvsmith.toml",
    "read: the configuration; or [tool.venvsmith] in pyproject.toml; the nearest one upwards",
)
LOCKS = ("locks/", "read: the lockfiles")
IMAGE = ("IMAGE", "name of an image of the configuration; all of them by default")
TARGETS = (
    ("NAME:TAG", "an image of the local engine; docker:NAME:TAG says so aloud"),
    ("registry:HOST/NAME:TAG", "an image in a registry: pulled, and removed afterwards"),
    ("oci:DIR[:TAG]", "an OCI layout, as skopeo and buildx write it"),
    ("docker-archive:FILE", "what `docker save` wrote"),
    ("rootfs:DIR", "a root folder: read, and run where this project built it"),
    ("venv:DIR", "a virtual environment on this machine"),
    ("bundle:PATH", "what PyInstaller made: its folder, or its one file"),
    ("dockerfile:FILE", "a Dockerfile, read and not built"),
)
SURROUNDINGS = "the engine, the network, the disk or a missing tool; worth a retry"
LOCKED_UP = "seconds to wait for another run in this project [default: 300]"
INDEX_PASSWORD = (
    "VENVSMITH_INDEX_NAME_USERNAME, _PASSWORD",
    "credentials of the index NAME; else ~/.netrc",
)

PAGES: dict[str, Page] = {
    "": Page(
        files=(CONFIG,),
        variables=(
            ("NO_COLOR", "no colours, unless --color always"),
            ("VENVSMITH_TRACEBACK", "show where a bug of venvsmith's own is"),
        ),
        exits=(
            (0, "it holds, and at least one check ran"),
            (1, "it fails: a finding, drift, a hash, no resolution, a failed build step"),
            (2, "wrong usage or configuration, or something named that does not exist"),
            (3, "the input cannot be judged safely: malformed, unsupported, over a limit"),
            (4, SURROUNDINGS),
            (5, "nothing could be checked"),
            (70, "a bug of venvsmith's own"),
            (130, "interrupted (143: terminated)"),
        ),
        examples=(
            (
                "What is wrong with this image, whoever built it?",
                "venvsmith verify asr:latest --import whisperx.asr",
            ),
            (
                "From a Dockerfile to an image that is verified",
                "venvsmith init --from Dockerfile && venvsmith lock && venvsmith build",
            ),
        ),
    ),
    "init": Page(
        files=(
            ("venvsmith.toml", "written; another one with `venvsmith --config FILE init`"),
            ("Dockerfile, pyproject.toml, requirements*.txt", "read: what there is to start from"),
        ),
        exits=((2, "there is a configuration already, or nothing that can be read"),),
        examples=(
            (
                "From a Dockerfile, and lock it",
                "venvsmith init --from Dockerfile && venvsmith lock",
            ),
            (
                "See what would come of a pyproject",
                "venvsmith init --from pyproject.toml --stdout",
            ),
            ("From nothing, without questions", "venvsmith init --blank --yes"),
        ),
    ),
    "preflight": Page(
        files=(
            CONFIG,
            ("locks/, docker/", "read: whether they are in step with the configuration"),
            (".env", "read: tokens that the environment lacks; never shown"),
            ("~/.docker/config.json", "read: logins at the registries of tags"),
        ),
        variables=(
            ("BUILDX_BUILDER", "buildx's own: the builder to look at"),
            ("HF_ENDPOINT", "Hugging Face's own: with --probe, where HF_TOKEN is shown"),
        ),
        exits=(
            (0, "ready; perhaps with remarks"),
            (1, "locks or rendered files are out of step"),
            (2, "the configuration is wrong; stands before 1 and 4"),
            (4, "the machine lacks something"),
        ),
        examples=(
            ("Before a long build", "venvsmith preflight"),
            ("Do the registry and Hugging Face take what I have?", "venvsmith preflight --probe"),
            (
                "What is amiss, for a script",
                """venvsmith preflight --format json | jq '.checks[] | select(.status!="ok")'""",
            ),
        ),
    ),
    "lock": Page(
        arguments=(("STAGE", "name of a stage; it stands for its whole family; all by default"),),
        files=(
            CONFIG,
            ("locks/STAGE.VARIANT.txt", "read and written: hashed pins; -ARCH for each platform"),
            ("locks/pylock.*.toml", "written with --format pylock (PEP 751)"),
            (
                "locks/{tools.txt,bases.json,sizes.json}",
                "written: the uv of builds, base images' digests, wheels' sizes",
            ),
        ),
        variables=(
            INDEX_PASSWORD,
            ("UV_DEFAULT_INDEX, PIP_INDEX_URL", "the default index, such as a mirror"),
            ("VENVSMITH_TOOL_TIMEOUT", "seconds for one question to the resolver [default: 900]"),
            ("VENVSMITH_LOCK_TIMEOUT", LOCKED_UP),
        ),
        exits=(
            (0, "locked, or up to date already"),
            (1, "no versions suit all stages; with --check, a lock is out of date"),
            (4, "the index, the disk, or another run that does not end; worth a retry"),
        ),
        examples=(
            ("Lock what has changed", "venvsmith lock"),
            ("A new numpy in one family", "venvsmith lock whisperx --upgrade-package numpy"),
            ("In CI, without a network", "venvsmith lock --check --offline"),
            ("For other tools too", "venvsmith lock --format pylock"),
        ),
    ),
    "render": Page(
        arguments=(IMAGE,),
        files=(
            CONFIG,
            LOCKS,
            ("docker/Dockerfile.IMAGE.VARIANT", "written, each with its .dockerignore"),
            ("docker/docker-bake.json", "written: a target for each image and variant"),
            (
                "docker/{deltas,manifests,steps}/",
                "written: layers' pins, what venvs promise, the steps' scripts",
            ),
        ),
        variables=(("VENVSMITH_LOCK_TIMEOUT", LOCKED_UP),),
        exits=(
            (0, "written, or in step already"),
            (1, "with --check, something is out of step"),
        ),
        examples=(
            (
                "Render, and build without venvsmith",
                "venvsmith render && docker buildx bake -f docker/docker-bake.json",
            ),
            ("In CI", "venvsmith render --check"),
            ("Read one Dockerfile", "venvsmith render whisperx --variant cuda --stdout"),
        ),
    ),
    "build": Page(
        arguments=(IMAGE,),
        files=(
            CONFIG,
            LOCKS,
            ("docker/", "written: what `venvsmith render` writes"),
            ("docker/sbom/IMAGE.VARIANT.cdx.json", "written: a bill of materials (CycloneDX)"),
            ("locks/trees.json", "written: what each layer was found to hold"),
            (
                ".venvsmith/local/IMAGE.VARIANT/",
                "written by the local engine: root/ and manifest.json",
            ),
        ),
        variables=(
            INDEX_PASSWORD,
            ("DOCKER_HOST", "docker's own: another engine"),
            ("VENVSMITH_SANDBOX", "bubblewrap, unshare or none, for the local engine"),
            ("VENVSMITH_TOOL_TIMEOUT", "seconds for one step of a local build [default: 3600]"),
        ),
        exits=(
            (0, "built, and verified unless --no-verify or --push"),
            (1, "a step failed, or what was built does not hold or differs when built again"),
            (4, SURROUNDINGS),
            (5, "built, but something that was promised could not be checked"),
        ),
        examples=(
            ("One image in one variant", "venvsmith build whisperx --variant cuda"),
            ("Without Docker", "venvsmith build --engine local"),
            (
                "Behind a proxy of one's own",
                "venvsmith build --ca-bundle company-ca.pem",
            ),
            ("Are two builds the same, byte for byte?", "venvsmith build --check-reproducible"),
        ),
    ),
    "push": Page(
        arguments=(IMAGE,),
        files=(
            CONFIG,
            ("~/.docker/config.json", "read by docker: its login, without --env-file"),
        ),
        variables=(
            ("VENVSMITH_PUSH_TIMEOUT", "seconds for one image [default: 600, and 1 for 0.5 MB]"),
        ),
        exits=(
            (0, "all tags stand for what was built"),
            (1, "the registry refuses an image, or the locks are out of date"),
            (2, "an image was not built here, or no tag names a registry"),
            (4, "login, registry, network or engine; mend it or wait, and run again"),
        ),
        examples=(
            ("What was built", "venvsmith build && venvsmith push"),
            ("With a login of its own", "venvsmith push whisperx --env-file .env"),
        ),
    ),
    "verify": Page(
        arguments=TARGETS,
        files=(
            ("venvsmith.toml", "read with --stage only"),
            ("VENV/.venvsmith/", "read in the target: what a venv built by venvsmith promises"),
        ),
        exits=(
            (0, "it holds, and at least one check ran"),
            (1, "it fails, by --fail-on"),
            (2, "wrong usage, or a target that does not exist"),
            (3, "the target cannot be read safely: malformed, unsupported, over a limit"),
            (4, "the engine does not answer; worth a retry"),
            (5, "something that was asked for could not be checked"),
        ),
        examples=(
            ("An image, and what must import in it", "venvsmith verify asr:latest --import numpy"),
            ("A venv against its lock", "venvsmith verify venv:.venv --lock requirements.txt"),
            (
                "An image against this project's stage",
                "venvsmith verify whisperx:cuda --stage whisperx --variant cuda",
            ),
            (
                "In CI, one rule set aside",
                "venvsmith verify asr:ci --ignore 'stale-bytecode=read-only' --format sarif",
            ),
        ),
    ),
    "explain": Page(
        arguments=(("RULE", "a rule's name (interpreter-dangling) or code (VS301)"),),
        exits=((2, "there is no such rule"),),
        examples=(
            ("What verify found, at length", "venvsmith explain interpreter-dangling"),
            ("All rules that are about torch", "venvsmith explain | grep torch"),
        ),
    ),
    "compare": Page(
        arguments=(
            *(pair for pair in TARGETS if not pair[0].startswith("dockerfile:")),
            ("FILE", "a report that `venvsmith verify --format json` wrote"),
        ),
        exits=(
            (0, "both are the same"),
            (1, "they differ"),
            (5, "one of them holds no Python environment"),
        ),
        examples=(
            ("It works here, and not in the image", "venvsmith compare venv:.venv asr:latest"),
            (
                "Why does an import fail in the newer one?",
                "venvsmith compare asr:1.4 asr:1.5 --import whisperx.asr",
            ),
            ("Since yesterday's report", "venvsmith compare report.json asr:latest"),
        ),
    ),
    "graph": Page(
        files=(
            CONFIG,
            ("locks/", "read: pins and sizes; what is not locked is shown without them"),
        ),
        exits=((2, "there is no configuration, or it is wrong"),),
        examples=(
            ("The tree", "venvsmith graph"),
            (
                "The stages' names, for a script",
                "venvsmith graph --format json | jq -r '.stages[].name'",
            ),
        ),
    ),
    "bundle": Page(
        exits=((2, "wrong usage or configuration"),),
        examples=(
            (
                "Hooks for `pyinstaller --additional-hooks-dir hooks app.py`",
                "venvsmith bundle hooks whisperx --output hooks",
            ),
            ("Does the frozen application hold?", "venvsmith verify bundle:dist/app"),
        ),
    ),
    "bundle hooks": Page(
        arguments=(("STAGE", "name of a stage of the configuration"),),
        files=(
            CONFIG,
            LOCKS,
            ("DIR/hook-NAME.py", "written: one hook for each package that needs one"),
            ("DIR/venvsmith_diagnose.py", "written: lets `verify` ask the frozen application"),
            (".venvsmith/local/", "written without --venv: the stage's venv, built here"),
        ),
        exits=(
            (0, "written"),
            (1, "the venv lacks the stage, or the spec excludes what it needs"),
            (4, SURROUNDINGS),
        ),
        examples=(
            (
                "For a venv that is there",
                "venvsmith bundle hooks whisperx --venv .venv --output hooks",
            ),
            (
                "Watch the imports run too, and check a spec file",
                "venvsmith bundle hooks whisperx --trace --spec app.spec --output hooks",
            ),
        ),
    ),
}
