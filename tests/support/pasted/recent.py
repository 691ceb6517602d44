"""The pasted forms of the younger operators."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class PastedEMA(nn.Module):
    """Groups laid out as images of their own, strips concatenated, products of matrices for the weighed sums."""

    def __init__(self, channels: int, groups: int = 32):
        super().__init__()
        self.groups = groups
        width = channels // groups
        self.gn = nn.GroupNorm(width, width)
        self.conv1x1 = nn.Conv2d(width, width, 1)
        self.conv3x3 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x):
        b, c, h, w = x.shape
        parts = x.reshape(b * self.groups, -1, h, w)
        rows = F.adaptive_avg_pool2d(parts, (None, 1))
        columns = F.adaptive_avg_pool2d(parts, (1, None)).permute(0, 1, 3, 2)
        rows, columns = torch.split(self.conv1x1(torch.cat([rows, columns], 2)), [h, w], 2)
        one = self.gn(parts * rows.sigmoid() * columns.permute(0, 1, 3, 2).sigmoid())
        other = self.conv3x3(parts)
        weights = [F.adaptive_avg_pool2d(y, 1).flatten(1).unsqueeze(1).softmax(-1) for y in (one, other)]
        summed = weights[0] @ other.flatten(2) + weights[1] @ one.flatten(2)
        return (parts * summed.reshape(b * self.groups, 1, h, w).sigmoid()).reshape(b, c, h, w)


class PastedSimAM(nn.Module):
    """The squares at the map's size, before they are divided."""

    def __init__(self, channels: int, e_lambda: float = 1e-4):
        super().__init__()
        self.e_lambda = e_lambda

    def forward(self, x):
        count = x.shape[2] * x.shape[3] - 1
        squares = (x - x.mean(dim=[2, 3], keepdim=True)).pow(2)
        spread = squares.sum(dim=[2, 3], keepdim=True) / count
        return x * torch.sigmoid(squares / (4 * (spread + self.e_lambda)) + 0.5)


class PastedShuffleAttention(nn.Module):
    """Groups as images of their own, halves by chunk, the shuffle as two reshapes around a transposition."""

    def __init__(self, channels: int, groups: int = 8):
        super().__init__()
        self.groups = groups
        width = channels // (2 * groups)
        self.cweight = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.cbias = nn.Parameter(torch.ones(1, width, 1, 1))
        self.sweight = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.sbias = nn.Parameter(torch.ones(1, width, 1, 1))
        self.gn = nn.GroupNorm(width, width)

    def forward(self, x):
        b, c, h, w = x.shape
        first, second = x.reshape(b * self.groups, -1, h, w).chunk(2, dim=1)
        first = first * torch.sigmoid(self.cweight * F.adaptive_avg_pool2d(first, 1) + self.cbias)
        second = second * torch.sigmoid(self.sweight * self.gn(second) + self.sbias)
        y = torch.cat([first, second], dim=1).reshape(b, 2, -1, h, w)
        return y.permute(0, 2, 1, 3, 4).reshape(b, c, h, w)


class PastedNAM(nn.Module):
    """The map permuted to multiply its last axis."""

    def __init__(self, channels: int):
        super().__init__()
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        scales = self.bn2.weight.data.abs()
        weighed = self.bn2(x).permute(0, 2, 3, 1).contiguous() * (scales / scales.sum())
        return torch.sigmoid(weighed.permute(0, 3, 1, 2).contiguous()) * x


class PastedSK(nn.Module):
    """The branches stacked, a linear layer's softmax over them."""

    def __init__(self, channels: int, branches: int = 2, groups: int = 32, reduction: int = 16, hidden: int = 32):
        super().__init__()
        squeezed = max(channels // reduction, hidden)
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1 + i, dilation=1 + i, groups=groups, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            )
            for i in range(branches)
        )
        self.fc = nn.Sequential(
            nn.Conv2d(channels, squeezed, 1, bias=False), nn.BatchNorm2d(squeezed), nn.ReLU(inplace=True)
        )
        self.fcs = nn.ModuleList(nn.Conv2d(squeezed, channels, 1) for _ in range(branches))

    def forward(self, x):
        maps = torch.stack([conv(x) for conv in self.convs], dim=1)
        squeezed = self.fc(F.adaptive_avg_pool2d(maps.sum(dim=1), 1))
        weights = torch.stack([fc(squeezed) for fc in self.fcs], dim=1).softmax(dim=1)
        return (maps * weights.expand_as(maps)).sum(dim=1)


class PastedLSKA(nn.Module):
    """A copy of the map kept aside."""

    def __init__(self, channels: int, kernel_size: int = 7):
        super().__init__()
        near, far, dilation = {7: (3, 3, 2), 11: (3, 5, 2), 23: (5, 7, 3)}[kernel_size]
        pad = dilation * (far // 2)
        self.conv0h = nn.Conv2d(channels, channels, (1, near), padding=(0, near // 2), groups=channels)
        self.conv0v = nn.Conv2d(channels, channels, (near, 1), padding=(near // 2, 0), groups=channels)
        self.conv_spatial_h = nn.Conv2d(
            channels, channels, (1, far), padding=(0, pad), groups=channels, dilation=dilation
        )
        self.conv_spatial_v = nn.Conv2d(
            channels, channels, (far, 1), padding=(pad, 0), groups=channels, dilation=dilation
        )
        self.conv1 = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        kept = x.clone()
        attention = self.conv_spatial_v(self.conv_spatial_h(self.conv0v(self.conv0h(x))))
        return kept * self.conv1(attention)


class PastedMLCA(nn.Module):
    """Adaptive pooling to the grid and, in place of an unpooling, back to the map."""

    def __init__(self, channels: int, local_size: int = 5, kernel_size: int | None = None, local_weight: float = 0.5):
        super().__init__()
        nearest = int(abs(math.log(channels, 2) + 1) / 2)
        k = kernel_size or (nearest if nearest % 2 else nearest + 1)
        self.conv = nn.Conv1d(1, 1, k, padding=(k - 1) // 2, bias=False)
        self.conv_local = nn.Conv1d(1, 1, k, padding=(k - 1) // 2, bias=False)
        self.size, self.share = local_size, local_weight

    def forward(self, x):
        b, c, h, w = x.shape
        local = F.adaptive_avg_pool2d(x, self.size)
        whole = self.conv(F.adaptive_avg_pool2d(local, 1).view(b, c, -1).transpose(-1, -2))
        cells = self.conv_local(local.view(b, c, -1).transpose(-1, -2).reshape(b, 1, -1))
        cells = cells.reshape(b, self.size * self.size, c).transpose(-1, -2).view(b, c, self.size, self.size)
        whole = F.adaptive_avg_pool2d(whole.view(b, -1)[:, :, None, None].sigmoid(), [self.size, self.size])
        return x * F.adaptive_avg_pool2d(whole * (1 - self.share) + cells.sigmoid() * self.share, [h, w])


class PastedELA(nn.Module):
    """Strips viewed as sequences, the gates applied one after another."""

    def __init__(self, channels: int, kernel_size: int = 7, norm_groups: int = 16, width: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels // width, bias=False
        )
        self.gn = nn.GroupNorm(norm_groups, channels)

    def forward(self, x):
        b, c, h, w = x.size()
        rows = torch.mean(x, dim=3, keepdim=True).view(b, c, h)
        rows = torch.sigmoid(self.gn(self.conv(rows))).view(b, c, h, 1)
        columns = torch.mean(x, dim=2, keepdim=True).view(b, c, w)
        columns = torch.sigmoid(self.gn(self.conv(columns))).view(b, c, 1, w)
        return x * rows * columns
