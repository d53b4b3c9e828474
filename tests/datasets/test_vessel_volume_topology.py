import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from retia.datasets.vessel.volumes import bits
from retia.datasets.vessel.volumes.bits import Bits, euler_number, surface
from retia.datasets.vessel.volumes.thinning import thin
from retia.datasets.vessel.volumes.topology import betti_numbers, fill_cavities
from retia.datasets.vessel.volumes.volume import trace_mask

CUBE = np.ones((3, 3, 3), dtype=bool)


@st.composite
def blobs(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Smoothed noise, cut at a level: components, loops and cavities as they come."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    shape = tuple(draw(st.integers(1, 24)) for _ in range(3))
    noise = ndimage.gaussian_filter(rng.random(shape), draw(st.sampled_from([0.0, 0.8, 1.5, 2.5])))
    return np.asarray(noise > np.quantile(noise, draw(st.floats(0.3, 0.9))))


def betti(mask: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Components, loops, cavities by scikit-image and SciPy."""
    components = int(measure.label(mask, connectivity=3).max())
    cavities = int(ndimage.label(~np.pad(mask, 1))[1]) - 1
    loops = components + cavities - measure.euler_number(np.pad(mask, 1), connectivity=3)
    return components, int(loops), cavities


@settings(max_examples=60, deadline=None)
@given(blobs())
def test_packing_loses_nothing(mask: NDArray[np.bool_]) -> None:
    packed = Bits.of(mask)
    assert np.array_equal(packed.planes(0, len(mask)), mask)
    assert packed.count() == mask.sum()
    assert np.array_equal(packed.coordinates(packed.voxels()), np.argwhere(mask))
    packed.set(packed.voxels()[::2], False)
    assert packed.count() == mask.sum() // 2


@settings(max_examples=60, deadline=None)
@given(blobs())
def test_euler_number_is_that_of_scikit_image(mask: NDArray[np.bool_]) -> None:
    assert euler_number(Bits.of(mask)) == measure.euler_number(np.pad(mask, 1), connectivity=3)


@settings(max_examples=40, deadline=None)
@given(blobs())
def test_the_wall_is_what_an_erosion_takes_off(mask: NDArray[np.bool_]) -> None:
    structure = ndimage.generate_binary_structure(3, 1)
    for axis in (axis for axis in range(3) if mask.shape[axis] == 1):
        keep = [slice(None)] * 3
        keep[axis] = slice(1, 2)
        flat = np.zeros_like(structure)
        flat[tuple(keep)] = structure[tuple(keep)]
        structure = flat
    padded = np.pad(mask, 1)
    inner = ndimage.binary_erosion(padded, structure)[1:-1, 1:-1, 1:-1]
    assert np.array_equal(surface(Bits.of(mask)).planes(0, len(mask)), mask & ~inner)


@settings(max_examples=60, deadline=None)
@given(blobs())
def test_thinning_keeps_components_loops_and_cavities(mask: NDArray[np.bool_]) -> None:
    skeleton = thin(Bits.of(mask)).planes(0, len(mask))
    assert not (skeleton & ~mask).any()
    assert betti(skeleton) == betti(mask)


@settings(max_examples=25, deadline=None)
@given(blobs())
def test_thinning_leaves_no_voxel_that_could_go(mask: NDArray[np.bool_]) -> None:
    skeleton = thin(Bits.of(mask))
    again = thin(skeleton, skeleton.voxels())
    assert np.array_equal(again.data, skeleton.data)


@settings(max_examples=25, deadline=None)
@given(blobs(), st.integers(0, 99))
def test_the_order_of_work_does_not_change_a_skeleton(mask: NDArray[np.bool_], seed: int) -> None:
    packed = Bits.of(mask)
    front = surface(packed).voxels()
    mixed = thin(packed, np.random.default_rng(seed).permutation(front))
    assert np.array_equal(mixed.data, thin(packed).data)


@settings(max_examples=40, deadline=None)
@given(blobs(), st.sampled_from([1, 200, 1 << 24]))
def test_slabs_and_scratch_files_change_nothing(mask: NDArray[np.bool_], voxels: int) -> None:
    whole = Bits.of(mask)
    wall, skeleton = surface(whole).voxels(), thin(whole).voxels()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bits, "SLAB_VOXELS", voxels)
        patch.setattr(bits, "SCRATCH_BYTES", 0)
        scratch = Bits.of(mask)
        solid, cavities = fill_cavities(scratch)
        components, loops = betti_numbers(solid)
        assert np.array_equal(surface(scratch).voxels(), wall)
        assert np.array_equal(thin(scratch).voxels(), skeleton)
        assert euler_number(scratch) == euler_number(whole)
    filled = ndimage.binary_fill_holes(np.pad(mask, 1), ndimage.generate_binary_structure(3, 1))
    assert cavities == betti(mask)[2]
    assert np.array_equal(solid.planes(0, len(mask)), filled[1:-1, 1:-1, 1:-1])
    assert (components, loops, 0) == betti(solid.planes(0, len(mask)))


@settings(max_examples=40, deadline=None)
@given(blobs())
def test_a_graph_has_the_components_of_any_mask_and_never_more_loops(
    mask: NDArray[np.bool_],
) -> None:
    if not mask.any() or mask.all():
        return
    graph, report = trace_mask(Bits.of(mask), (1.0, 1.0, 1.0))
    assert report["betti_0_error"] == 0
    assert report["graph_loops"] <= report["mask_loops"]
    assert (graph.measures["length"] > 0).all()
    for name in ("minRadiusAvg", "avgRadiusAvg"):
        larger = graph.measures["avgRadiusAvg" if name[:3] == "min" else "maxRadiusAvg"]
        assert not (graph.measures[name] > larger + 1e-9).any()


def test_the_skeleton_of_scikit_image_has_the_same_topology() -> None:
    from skimage.morphology import skeletonize

    noise = ndimage.gaussian_filter(np.random.default_rng(1).random((40, 40, 40)), 2)
    mask = fill_cavities(Bits.of(noise > 0.505))[0].planes(0, 40)
    theirs, ours = skeletonize(mask), thin(Bits.of(mask))
    assert betti(theirs) == betti(ours.planes(0, 40))
    assert ours.count() == pytest.approx(theirs.sum(), rel=0.1)
