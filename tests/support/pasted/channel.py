"""The pasted forms of channel attention."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from yolo_attn.nn.fca import RANKING


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


class PastedGSoP(nn.Module):
    """The covariance by a centring matrix as wide as the samples are many: (H · W)² numbers for each image.

    The authors' position form centres by something else than the mean; ours and this one centre by the mean.
    """

    def __init__(self, channels: int, dimension: int = 128, position: bool = False):
        super().__init__()
        self.position = position
        dimension = min(dimension, channels)
        rows, outputs = (64, 64) if position else (dimension, channels)
        self.reduce = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, dimension, 1), nn.BatchNorm2d(dimension))
        self.row_norm = nn.BatchNorm2d(rows)
        self.row_conv = nn.Conv2d(rows, 4 * rows, (rows, 1), groups=rows)
        self.fc = nn.Conv2d(4 * rows, outputs, 1)

    def forward(self, x):
        y = self.reduce(x)
        # The variables are the cells of a grid and the channels their samples, or the other way round.
        y = F.adaptive_avg_pool2d(y, 8).flatten(2).transpose(1, 2) if self.position else F.relu(y).flatten(2)
        b, rows, samples = y.shape
        centre = torch.eye(samples, device=y.device, dtype=y.dtype) / samples
        centre = (centre - torch.full_like(centre, 1 / samples / samples)).unsqueeze(0).repeat(b, 1, 1)
        covariance = y.bmm(centre).bmm(y.transpose(1, 2))
        y = self.row_conv(self.row_norm(covariance.view(b, rows, rows, 1)))
        if not self.position:
            return x * torch.sigmoid(self.fc(y))
        gate = torch.sigmoid(self.fc(F.relu(y))).view(b, 1, 8, 8)
        return x * F.adaptive_avg_pool2d(gate, x.shape[2:])


class PastedSRM(nn.Module):
    """Mean and standard deviation each on a flattened view, stacked, weighed by a (C, 2) matrix."""

    def __init__(self, channels: int):
        super().__init__()
        self.cfc = nn.Parameter(torch.zeros(channels, 2))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        b, c, _, _ = x.shape
        mean = x.view(b, c, -1).mean(dim=2, keepdim=True)
        std = (x.view(b, c, -1).var(dim=2, keepdim=True) + 1e-5).sqrt()
        style = (torch.cat((mean, std), dim=2) * self.cfc[None, :, :]).sum(2)[:, :, None, None]
        return x * torch.sigmoid(self.norm(style))

    def adopt(self, mean, std, *norm):
        return [torch.stack((mean, std), 1), *norm]


class PastedGCT(nn.Module):
    """Parameters of shape (1, C, 1, 1); the whole map squared, then summed."""

    def __init__(self, channels: int, l1: bool = False):
        super().__init__()
        self.l1 = l1
        self.alpha = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        if self.l1:
            embedding = x.abs().sum((2, 3), keepdim=True) * self.alpha
            norm = self.gamma / (embedding.abs().mean(dim=1, keepdim=True) + 1e-5)
        else:
            embedding = (x.pow(2).sum((2, 3), keepdim=True) + 1e-5).pow(0.5) * self.alpha
            norm = self.gamma / (embedding.pow(2).mean(dim=1, keepdim=True) + 1e-5).pow(0.5)
        return x * (1 + torch.tanh(embedding * norm + self.beta))


class PastedFcaNet(nn.Module):
    """Adaptive pooling to a fixed size, a stored (C, size, size) tensor of cosines, linear layers.

    The authors' file stores the tensor in checkpoints and takes only channels that the frequencies divide.
    """

    def __init__(self, channels: int, frequencies: int = 16, reduction: int = 16, size: int = 7):
        super().__init__()
        self.size = size
        groups = min(frequencies, channels)
        basis = torch.zeros(channels, size, size, dtype=torch.float64)
        for c in range(channels):
            u, v = (frequency * (size // 7) for frequency in RANKING[c * groups // channels])
            for i in range(size):
                for j in range(size):
                    basis[c, i, j] = self.cosine(i, u, size) * self.cosine(j, v, size)
        self.register_buffer("basis", basis.float(), persistent=False)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    @staticmethod
    def cosine(position: int, frequency: int, size: int) -> float:
        value = math.cos(math.pi * frequency * (position + 0.5) / size) / math.sqrt(size)
        return value if frequency == 0 else value * math.sqrt(2)

    def forward(self, x):
        b, c, h, w = x.shape
        pooled = x if (h, w) == (self.size, self.size) else F.adaptive_avg_pool2d(x, (self.size, self.size))
        y = torch.sum(pooled * self.basis, dim=[2, 3])
        return x * self.fc(y).view(b, c, 1, 1).expand_as(x)


class PastedEncNet(nn.Module):
    """The N × K × C differences of all pixels and codewords, twice: once squared, once weighed and summed.

    The authors' file puts a ReLU behind the gate: `published`. Ours has none.
    """

    def __init__(self, channels: int, codes: int = 32, published: bool = False):
        super().__init__()
        self.published = published
        self.project = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU())
        self.norm = nn.BatchNorm1d(codes)
        self.fc = nn.Sequential(nn.Linear(channels, channels), nn.Sigmoid())
        self.codewords = nn.Parameter(torch.zeros(codes, channels))
        self.scale = nn.Parameter(torch.zeros(codes))

    def forward(self, x):
        b, c, h, w = x.shape
        codes = len(self.scale)
        pixels = self.project(x).view(b, c, -1).transpose(1, 2).contiguous()
        residuals = pixels.unsqueeze(2).expand(b, h * w, codes, c) - self.codewords.view(1, 1, codes, c)
        share = F.softmax(self.scale.view(1, 1, codes) * residuals.pow(2).sum(3), dim=2)
        encoded = (share.unsqueeze(3) * residuals).sum(1)
        gate = self.fc(F.relu(self.norm(encoded)).mean(1)).view(b, c, 1, 1)
        y = x + x * gate
        return F.relu(y) if self.published else y

    def adopt(self, codewords, scale, *layers):
        return [codewords[0], scale, *layers]


class PastedBiAttention(nn.Module):
    """The outer product of every pixel's features as a matrix, its diagonals cut out one by one, the map permuted."""

    def __init__(self, channels: int, reduction: int = 16):
        super().__init__()
        hidden = channels // reduction
        self.reduce = self.block(channels, hidden)
        self.inner = self.block(hidden * (hidden + 1) // 2, channels)
        self.outer = self.block(hidden * (hidden + 1) // 2, channels)

    @staticmethod
    def block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x):
        y = self.reduce(x)
        b, m, h, w = y.shape
        pixels = y.permute(0, 2, 3, 1).reshape(-1, m)
        outer = torch.bmm(pixels.unsqueeze(2), pixels.unsqueeze(1))
        products = torch.cat([torch.diagonal(outer, offset=-i, dim1=1, dim2=2) for i in range(m)], dim=1)
        products = products.view(b, h, w, -1).permute(0, 3, 1, 2).contiguous()
        inner = self.inner(F.avg_pool2d(products, products.shape[2:]))
        return x * torch.sigmoid(inner * self.outer(products))
