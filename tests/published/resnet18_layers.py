"""The ResNet-18 layer list of section 6.2, written down without torch (sizes after quirk Q2)."""

from hotnas_hls.published.layers import PublishedLayer


def resnet18_layers() -> list[PublishedLayer]:
    """20 convolutions in registration order, 224 x 224 input."""
    layers = [PublishedLayer("conv1", 64, 3, 112, 112, 7, 2, 3)]

    def add(name: str, out: int, into: int, size: int, kernel: int, stride: int) -> None:
        layers.append(PublishedLayer(name, out, into, size, size, kernel, stride, kernel // 2))

    width = 64
    for stage, (out, first, shortcut, second) in enumerate(
        [(64, 56, None, 56), (128, 28, 14, 14), (256, 7, 4, 4), (512, 2, 1, 1)], start=1
    ):
        stride = 1 if shortcut is None else 2
        add(f"layer{stage}.0.conv1", out, width, first, 3, stride)
        add(f"layer{stage}.0.conv2", out, out, first, 3, 1)
        if shortcut is not None:
            add(f"layer{stage}.0.downsample.0", out, width, shortcut, 1, 2)
        add(f"layer{stage}.1.conv1", out, out, second, 3, 1)
        add(f"layer{stage}.1.conv2", out, out, second, 3, 1)
        width = out
    return layers
