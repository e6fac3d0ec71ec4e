"""The few instructions of each Python version that tell what a module imports and names.

Numbers are those of CPython's `Lib/opcode.py` and `Include/opcode_ids.h` of each version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

Version = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Opcodes:
    """Instruction numbers of one version.

    ``jumps_forward`` and ``jumps_back`` are relative; ``jumps_absolute`` name their target.
    ``unit`` is how many bytes one step of a jump has. ``noise`` stands between what belongs
    together. The first of ``load_attr`` loads an attribute; before 3.12 a second one loads a method
    to be called. ``jumps_always`` leave nothing that follows them to be carried out next.
    ``jump_if_not_none`` has no counterpart before 3.11.

    ``load_local`` and ``store_local`` have one variable, a ``pair`` two in one argument, of which
    ``store_load`` stores the one and loads the other. ``ends`` close a statement without a name.

    ``sets_up`` begin a stretch whose exceptions are handled at their target (before 3.11, which has
    a table of them). ``asks_exit`` begins the handler of a ``with``, ``leaves`` ends one after
    which code goes on, and ``reraises`` one after which it does not.
    """

    import_name: int
    import_star: int | None
    load_const: int
    load_name: int
    load_global: int
    load_attr: tuple[int, ...]
    store_name: int
    store_global: int
    extended_arg: int
    compare: int
    jump_if_false: int
    raises: int
    returns: frozenset[int]
    calls: frozenset[int]
    noise: frozenset[int]
    jumps_forward: frozenset[int]
    jumps_always: frozenset[int]
    load_local: frozenset[int]
    store_local: frozenset[int]
    store_attr: int
    ends: frozenset[int]
    asks_exit: int
    leaves: int
    reraises: int
    sets_up: frozenset[int] = frozenset()
    load_pair: frozenset[int] = frozenset()
    store_pair: int | None = None
    store_load: int | None = None
    jumps_absolute: frozenset[int] = frozenset()
    jumps_back: frozenset[int] = frozenset()
    jump_if_not_none: int | None = None
    unit: int = 2
    global_shift: int = 0
    attr_shift: int = 0
    compare_shift: int = 0
    intrinsic: int | None = None
    """CALL_INTRINSIC_1, whose argument 2 is a star import."""


_38 = Opcodes(
    import_name=108,
    import_star=84,
    load_const=100,
    load_name=101,
    load_global=116,
    load_attr=(106, 160),
    store_name=90,
    store_global=97,
    extended_arg=144,
    compare=107,
    jump_if_false=114,
    raises=130,
    returns=frozenset({83}),
    calls=frozenset({131, 141, 161}),
    noise=frozenset({9}),
    jumps_forward=frozenset({93, 110, 162}),
    jumps_absolute=frozenset({111, 112, 113, 114, 115, 121}),
    jumps_always=frozenset({110, 113}),
    sets_up=frozenset({122, 143, 154}),
    load_local=frozenset({124, 136, 148}),
    store_local=frozenset({125, 137}),
    store_attr=95,
    ends=frozenset({1, 60}),
    asks_exit=81,
    leaves=89,
    reraises=88,
    unit=1,
)
_39 = replace(_38, jumps_forward=frozenset({93, 110}), asks_exit=49, reraises=48)
_310 = replace(_39, reraises=119, unit=2)
_311 = replace(
    _310,
    calls=frozenset({171}),
    noise=frozenset({0, 2, 9, 151, 166, 172}),
    jumps_forward=frozenset({93, 110, 111, 112, 114, 115, 123, 128, 129}),
    jumps_absolute=frozenset(),
    jumps_back=frozenset({134, 140, 173, 174, 175, 176}),
    jumps_always=frozenset({110, 134, 140}),
    jump_if_not_none=128,
    sets_up=frozenset(),
    load_local=frozenset({124, 137, 148}),
    store_local=frozenset({125, 138}),
    global_shift=1,
)
_312 = replace(
    _311,
    import_star=None,
    returns=frozenset({83, 121}),
    load_attr=(106,),
    noise=frozenset({0, 2, 9, 151, 172}),
    jumps_forward=frozenset({93, 110, 114, 115, 123, 128, 129}),
    jumps_back=frozenset({134, 140}),
    load_local=frozenset({124, 127, 137, 143, 176}),
    attr_shift=1,
    compare_shift=4,
    intrinsic=173,
)
_313 = Opcodes(
    import_name=75,
    import_star=None,
    load_const=83,
    load_name=92,
    load_global=91,
    load_attr=(82,),
    store_name=114,
    store_global=113,
    extended_arg=71,
    compare=58,
    jump_if_false=97,
    raises=101,
    returns=frozenset({36, 103}),
    calls=frozenset({53, 57}),
    noise=frozenset({0, 30, 34, 149}),
    jumps_forward=frozenset({72, 79, 97, 98, 99, 100, 104}),
    jumps_back=frozenset({77, 78}),
    jumps_always=frozenset({77, 78, 79}),
    jump_if_not_none=99,
    load_local=frozenset({84, 85, 86, 87, 89}),
    load_pair=frozenset({88}),
    store_local=frozenset({109, 110}),
    store_pair=112,
    store_load=111,
    store_attr=108,
    ends=frozenset({32, 39}),
    asks_exit=44,
    leaves=31,
    reraises=102,
    global_shift=1,
    attr_shift=1,
    compare_shift=5,
    intrinsic=55,
)
_314 = Opcodes(
    import_name=73,
    import_star=None,
    load_const=82,
    load_name=93,
    load_global=92,
    load_attr=(80,),
    store_name=116,
    store_global=115,
    extended_arg=69,
    compare=56,
    jump_if_false=100,
    raises=104,
    returns=frozenset({35}),
    calls=frozenset({52, 55}),
    noise=frozenset({0, 27, 33, 128}),
    jumps_forward=frozenset({70, 77, 100, 101, 102, 103, 106}),
    jumps_back=frozenset({75, 76}),
    jumps_always=frozenset({75, 76, 77}),
    jump_if_not_none=102,
    load_local=frozenset({83, 84, 85, 86, 88, 90}),
    load_pair=frozenset({87, 89}),
    store_local=frozenset({111, 112}),
    store_pair=114,
    store_load=113,
    store_attr=110,
    ends=frozenset({31, 38}),
    asks_exit=43,
    leaves=29,
    reraises=105,
    global_shift=1,
    attr_shift=1,
    compare_shift=5,
    intrinsic=53,
)
OPCODES: Mapping[Version, Opcodes] = {
    (3, 8): _38,
    (3, 9): _39,
    (3, 10): _310,
    (3, 11): _311,
    (3, 12): _312,
    (3, 13): _313,
    (3, 14): _314,
}
