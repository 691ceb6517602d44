"""The operators in the form people paste into a clone of Ultralytics today, written anew for comparison.

Tests compare results with them, benchmarks compare speed. They are what this package replaces: whole maps permuted,
adaptive pooling, gates applied one after another.
"""

import torch
from torch import nn


class PastedGAM(nn.Module):
    """Linear layers on a permuted map, no sigmoid on the channel gate unless asked for."""

    def __init__(self, channels: int, rate: int = 4, channel_sigmoid: bool = False):
        super().__init__()
        hidden = channels // rate
        self.channel_sigmoid = channel_sigmoid
        self.channel_attention = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels)
        )
        self.spatial_attention = nn.Sequential(
            nn.Conv2d(channels, hidden, kernel_size=7, padding=3),
            nn.BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, kernel_size=7, padding=3),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        b, c, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(b, -1, c)
        channel = self.channel_attention(pixels).reshape(b, h, w, c).permute(0, 3, 1, 2)
        if self.channel_sigmoid:
            channel = channel.sigmoid()
        x = x * channel
        return x * self.spatial_attention(x).sigmoid()


class PastedCBAM(nn.Module):
    """Adaptive pooling, linear layers on flattened vectors, the map written between the two gates."""

    def __init__(self, channels: int, reduction: int = 16, kernel_size: int = 7):
        super().__init__()
        self.avg_pool, self.max_pool = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels),
        )
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x):
        channel = torch.sigmoid(self.mlp(self.avg_pool(x)) + self.mlp(self.max_pool(x)))
        x = x * channel[:, :, None, None].expand_as(x)
        pooled = torch.cat([torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)], dim=1)
        return x * torch.sigmoid(self.norm(self.conv(pooled)))


class PastedECA(nn.Module):
    """Adaptive pooling and a 1-D convolution between two transposes."""

    def __init__(self, channels: int, kernel_size: int = 3):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=(kernel_size - 1) // 2, bias=False)

    def forward(self, x):
        y = self.conv(self.pool(x).squeeze(-1).transpose(-1, -2)).transpose(-1, -2).unsqueeze(-1)
        return x * torch.sigmoid(y).expand_as(x)


class PastedSE(nn.Module):
    """Adaptive pooling and linear layers on a flattened vector."""

    def __init__(self, channels: int, reduction: int = 16, bias: bool = True):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=bias),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.shape
        return x * self.fc(self.pool(x).view(b, c)).view(b, c, 1, 1).expand_as(x)


class PastedCoordAtt(nn.Module):
    """Adaptive pooling to strips, h-swish from its parts, the two gates applied one after another."""

    def __init__(self, channels: int, reduction: int = 32):
        super().__init__()
        hidden = max(8, channels // reduction)
        self.pool_h, self.pool_w = nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveAvgPool2d((1, None))
        self.conv1 = nn.Conv2d(channels, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.relu = nn.ReLU6(inplace=True)
        self.conv_h = nn.Conv2d(hidden, channels, 1)
        self.conv_w = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        _, _, h, w = x.size()
        y = torch.cat([self.pool_h(x), self.pool_w(x).permute(0, 1, 3, 2)], dim=2)
        y = self.bn1(self.conv1(y))
        y = y * (self.relu(y + 3) / 6)
        rows, columns = torch.split(y, [h, w], dim=2)
        gate_h = self.conv_h(rows).sigmoid()
        gate_w = self.conv_w(columns.permute(0, 1, 3, 2)).sigmoid()
        return x * gate_w * gate_h


PASTED = {"GAM": PastedGAM, "CBAM": PastedCBAM, "ECA": PastedECA, "CoordAtt": PastedCoordAtt, "SE": PastedSE}


def paste(operator: nn.Module) -> nn.Module:
    """Returns the pasted form of one of our operators with the same mathematics and the same weights.

    Both list their parameters in the same order; a linear layer's weight is a 1×1 convolution's without its last axes.
    """
    name = type(operator).__name__
    options = {key: getattr(operator, key) for key in operator.options()}
    if name == "GAM":
        assert options.pop("groups") == 1, "the pasted file ties groups to the reduction, another network"
        options["rate"] = options.pop("reduction")
    twin = PASTED[name](operator.channels, **options)
    ours, theirs = operator.state_dict(), twin.state_dict()
    assert len(ours) == len(theirs)
    twin.load_state_dict(
        {key: value.reshape(theirs[key].shape) for key, value in zip(theirs, ours.values(), strict=True)}
    )
    return twin.train(operator.training)
