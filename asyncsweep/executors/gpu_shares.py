"""Who has which part of which device: exact arithmetic on what was seen, without looking itself.

A worker has a *lease*: a share of one device, or all of one or several. The shares of a device never come to more than the whole
of it, counted for each device: of 0.3 three fit on one and six on two, though 0.3 * 6 < 2.

A lease ends in two steps. When its worker has ended it is *left*; it is over, and its share free again, when the memory is back:
when NVML lists none of the worker's processes on its devices any more, and, where nobody else of ours is on a device, not much more
memory is taken than was before. Memory that other programs took meanwhile is theirs, as far as NVML tells whose it is.

With a promise of memory a lease is given only where so much is free, less what others were promised and have not taken yet.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction

from asyncsweep.errors import ConfigError
from asyncsweep.executors.gpu_nvml import Device, Gone, Look

# A context of CUDA takes 300 MiB and more; what the driver itself has goes up and down by less than this.
SLACK_BYTES = 100 * 2**20


def share_of(per_trial: object) -> Fraction:
    """The option `per_trial`, exactly: 0.1 is a tenth and 1/3 a third, which no float is.

    Raises:
        ConfigError: It is neither a whole number of devices nor a part of one.
    """
    value = per_trial
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
        parts = round(1 / value) if value < 1 else 0
        share = Fraction(1, parts) if parts and 1 / parts == value else Fraction(repr(value))
        if share <= 1 or share.denominator == 1:
            return share
    raise ConfigError(
        f"executor.per_trial={per_trial!r}: it must be a whole number of devices, such as 1 or 2, or a part of one, such as 0.25"
    )


class Lease:
    """What one worker has.

    Attributes:
        devices: Its devices.
        share: Its part of each, from 0 to 1.
        promise_bytes: The memory that it was promised on each.
        pids: Its processes that were seen on its devices, at any time.
        taken: The memory of these at the last look, for each device's UUID.
        is_left: Whether its worker has ended.
        unseen: The UUIDs of its devices that nobody has looked at since.
    """

    def __init__(self, devices: tuple[Device, ...], share: Fraction, promise_bytes: int) -> None:
        self.devices = devices
        self.share = share
        self.promise_bytes = promise_bytes
        self.pids: set[int] = set()
        self.taken: dict[str, int] = {}
        self.is_left = False
        self.unseen: set[str] = set()

    def __str__(self) -> str:
        return " and ".join(map(str, self.devices))


class _Place:
    """One device: how it was without us, how it is, and who is there."""

    def __init__(self, device: Device, look: Look) -> None:
        self.device = device
        self.before = look
        self.look = look
        self.leases: list[Lease] = []
        self.gone: Gone | None = None
        self.is_silent = False


class Shares:
    """The devices of an executor and who has them.

    Args:
        seen: The devices, with a first look at each.
        per_trial: See `share_of`.
        promise_bytes: The memory that a trial is promised on each of its devices; 0 for no promise.

    Attributes:
        tells_processes: Whether a process of ours was ever seen on a device: then those that are not seen are not there.

    Raises:
        ConfigError: No trial could ever run.
    """

    def __init__(self, seen: Sequence[tuple[Device, Look]], per_trial: Fraction, promise_bytes: int = 0) -> None:
        self._places = {device.uuid: _Place(device, look) for device, look in seen}
        self._n_devices = max(1, int(per_trial))
        self._share = min(per_trial, Fraction(1))
        self._promise_bytes = promise_bytes
        self.tells_processes = False
        self._check(per_trial)

    def _check(self, per_trial: Fraction) -> None:
        devices = [place.device for place in self._places.values()]
        if self._n_devices > 1 and any(device.gpu for device in devices):
            raise ConfigError(
                f"executor.per_trial={per_trial}: a process can use one instance of a GPU only (MIG); use per_trial=1, or name whole "
                "GPUs in devices="
            )
        if not self.capacity:
            most = max(device.memory_bytes for device in devices)
            if self._n_devices > len(devices):
                raise ConfigError(f"executor.per_trial={per_trial}: there are {len(devices)} devices to use; give less")
            what = "no device has" if self._n_devices == 1 else f"not {self._n_devices} devices have"
            raise ConfigError(
                f"executor.memory_gib={_gib(self._promise_bytes)}: {what} so much memory; the largest has {_gib(most)} GiB"
            )

    @property
    def capacity(self) -> int:
        """How many leases there can be at a time, on the devices that are left, with no other program there."""
        fit = [self._fit(device) for device in self.devices]
        return sum(fit) if self._n_devices == 1 else sum(map(bool, fit)) // self._n_devices

    def _fit(self, device: Device) -> int:
        """How many leases a device can have at a time."""
        parts = int(1 / self._share)
        return min(parts, device.memory_bytes // self._promise_bytes) if self._promise_bytes else parts

    @property
    def devices(self) -> list[Device]:
        """Those that are not gone."""
        return [place.device for place in self._here()]

    # -- what was seen ------------------------------------------------------------------------------------------------

    def saw(self, device: Device, look: Look | Gone) -> bool:
        """Take note of a look; True when the device was there until now, and is gone."""
        place = self._places[device.uuid]
        if place.gone is not None:
            return False
        if isinstance(look, Gone):
            place.gone = look
            return True
        place.look, place.is_silent = look, False
        for lease in place.leases:
            lease.unseen.discard(device.uuid)
        grown = _unowned(look, ()) - _unowned(place.before, ())
        if not place.leases and (grown < 0 or grown > SLACK_BYTES):  # small steps up would add up
            place.before = look
        return False

    def missed(self, device: Device) -> None:
        """A look told nothing of a device: until one does, nobody is sent there."""
        self._places[device.uuid].is_silent = True

    def saw_family(self, lease: Lease, family: Collection[int]) -> None:
        """Take note of the processes of a lease's worker, those that are on its devices and others."""
        for place in self._of(lease):
            processes = place.look.processes or {}
            here = [pid for pid in processes if pid in family]
            lease.pids.update(here)
            lease.taken[place.device.uuid] = sum(processes[pid] or 0 for pid in here)
            if here:
                self.tells_processes = True

    def figures(self, lease: Lease) -> dict[str, float]:
        """What a lease's worker uses, as far as that can be told: `gpu_memory_gib` on all its devices, and `gpu_utilisation`, the mean of
        what these do, for whomever.
        """
        places = self._of(lease)
        found: dict[str, float] = {}
        if self.tells_processes:
            found["gpu_memory_gib"] = round(sum(lease.taken.values()) / 2**30, 3)
        elif all(place.leases == [lease] for place in places):
            grown = sum(max(0, place.look.used_bytes - place.before.used_bytes) for place in places)
            found["gpu_memory_gib"] = round(grown / 2**30, 3)
        parts = [place.look.utilisation for place in places if place.look.utilisation is not None]
        if len(parts) == len(places):
            found["gpu_utilisation"] = round(sum(parts) / len(parts), 3)
        return found

    def gone(self, lease: Lease) -> str | None:
        """Which device of a lease is gone, and why; None while all are there."""
        for place in self._of(lease):
            if place.gone is not None:
                return f"{place.device} is gone: {place.gone.why}"
        return None

    # -- leases -------------------------------------------------------------------------------------------------------

    def take(self) -> Lease | None:
        """A lease where there is room: on the devices with the fewest, the lowest of these first. None: there is no room now."""
        fitting = [
            place
            for place in self._here()
            if not place.is_silent
            and sum(lease.share for lease in place.leases) + self._share <= 1
            and self._room_bytes(place) >= self._promise_bytes
        ]
        fitting.sort(key=lambda place: len(place.leases))  # stable: the order of the devices decides
        if len(fitting) < self._n_devices:
            return None
        places = fitting[: self._n_devices]
        lease = Lease(tuple(place.device for place in places), self._share, self._promise_bytes)
        for place in places:
            place.leases.append(lease)
        return lease

    def admits(self, lease: Lease) -> bool:
        """Whether a trial may begin there: what it was promised is (still) free, or its own worker has it already."""
        return all(
            self._room_bytes(place, lease) + lease.taken.get(place.device.uuid, 0) >= self._promise_bytes
            for place in self._of(lease)
        )

    def leave(self, lease: Lease) -> None:
        """The lease's worker has ended; see `release`."""
        lease.is_left = True
        lease.unseen = {device.uuid for device in lease.devices}

    def release(self, lease: Lease) -> bool:
        """Give the share of a lease that was left back, if its memory is back; True when it is."""
        if any(self._has_to_wait(place, lease) for place in self._of(lease)):
            return False
        for place in self._of(lease):
            place.leases.remove(lease)
        return True

    def is_clean(self, lease: Lease) -> bool:
        """Whether the worker of a lease, between two trials, surely has no memory on its devices."""
        for place in self._of(lease):
            if lease.taken.get(place.device.uuid) or lease.pids & (place.look.processes or {}).keys():
                return False
            if len(place.leases) > 1 and not self.tells_processes:
                return False
        return all(self._holders(place, lease) is None for place in self._of(lease))

    # -- words --------------------------------------------------------------------------------------------------------

    def held_by(self, lease: Lease) -> str:
        """What of a lease that was left is not back yet."""
        held = [(place, self._holders(place, lease)) for place in self._of(lease)]
        words = [f"on {place.device} {who}" for place, who in held if who is not None]
        return "; ".join(words) or f"of {lease} nothing is known since then"

    def shortage(self) -> str:
        """How much is free on each device, and who has the rest."""
        words = []
        for place in self._here():
            owned = place.look.processes or {}
            who = ", ".join(f"process {pid}: {_gib(taken or 0)} GiB" for pid, taken in owned.items())
            owed_bytes = place.look.free_bytes - self._room_bytes(place)
            promised = f", of which {_gib(owed_bytes)} GiB are promised to trials" if owed_bytes else ""
            words.append(
                f"{place.device} has {_gib(place.look.free_bytes)} GiB free{promised}{f' ({who})' if who else ''}"
            )
        return "; ".join(words)

    # -- for one device -----------------------------------------------------------------------------------------------

    def _here(self) -> list[_Place]:
        return [place for place in self._places.values() if place.gone is None]

    def _of(self, lease: Lease) -> list[_Place]:
        return [self._places[device.uuid] for device in lease.devices]

    def _room_bytes(self, place: _Place, but: Lease | None = None) -> int:
        """The free memory, less what leases were promised and have not taken; that of one of them may be left out."""
        owed = 0
        running = [lease for lease in place.leases if not lease.is_left and lease is not but]
        promised = sum(lease.promise_bytes for lease in running)
        if self.tells_processes:
            owed = sum(max(0, lease.promise_bytes - lease.taken.get(place.device.uuid, 0)) for lease in running)
        elif promised:  # of what is taken, all but what is told to be of others may be ours
            owed = max(0, promised - max(0, _unowned(place.look, ()) - _unowned(place.before, ())))
        return place.look.free_bytes - owed

    def _has_to_wait(self, place: _Place, lease: Lease) -> bool:
        is_unseen = place.device.uuid in lease.unseen and place.gone is None
        return is_unseen or self._holders(place, lease) is not None

    def _holders(self, place: _Place, lease: Lease) -> str | None:
        """What a lease's worker, which has ended, has on a device; None when there is nothing."""
        if place.gone is not None:
            return None
        processes = place.look.processes or {}
        mine = self._pids(place, lease)
        ours = [pid for pid in processes if pid in mine]
        if ours:
            return ", ".join(f"the process {pid} has {_gib(processes[pid] or 0)} GiB" for pid in ours)
        if len(place.leases) > 1:
            return None  # what the others take cannot be told from it
        left_bytes = _unowned(place.look, mine) - _unowned(place.before, mine)
        return (
            None
            if left_bytes <= SLACK_BYTES
            else f"{_gib(left_bytes)} GiB are taken that were free before, by no process that is told"
        )

    def _pids(self, place: _Place, lease: Lease) -> Collection[int]:
        """The processes of a lease that has ended; one that has ended itself, and was seen with nobody, may be among them."""
        if not self.tells_processes:
            return lease.pids
        others = {pid for other in place.leases if other is not lease for pid in other.pids}
        return lease.pids | (place.look.dead - others - (place.before.processes or {}).keys())


def _unowned(look: Look, ours: Collection[int]) -> int:
    """The memory that is taken, less that of processes which are not ours."""
    return look.used_bytes - sum(taken or 0 for pid, taken in (look.processes or {}).items() if pid not in ours)


def _gib(size_bytes: float) -> str:
    return f"{size_bytes / 2**30:.3g}"


def memory_of(memory_gib: object) -> int:
    """The option `memory_gib` in bytes; 0 for none.

    Raises:
        ConfigError: It is no size.
    """
    if memory_gib is None:
        return 0
    if isinstance(memory_gib, int | float) and not isinstance(memory_gib, bool) and 0 < memory_gib < float("inf"):
        return max(1, int(memory_gib * 2**30))
    raise ConfigError(f"executor.memory_gib={memory_gib!r}: it must be a number of GiB > 0, or None")
