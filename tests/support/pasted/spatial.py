"""The pasted forms of spatial attention, and of channel and spatial attention in one."""

import torch
from torch import nn
from torch.nn import functional as F


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


class PastedBAM(nn.Module):
    """Linear layers and a 1-D batch norm on the pooled vector; both branches expanded to the whole map, then joined.

    The authors' file joins by the product and pools with a window of the map's height only, right for square maps.
    """

    def __init__(self, channels: int, reduction: int = 16, dilation: int = 4, product: bool = False):
        super().__init__()
        hidden = channels // reduction
        self.product = product
        self.channel = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, channels),
        )
        self.spatial = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU())
        for i in range(2):
            self.spatial.add_module(f"conv{i}", nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation))
            self.spatial.add_module(f"norm{i}", nn.BatchNorm2d(hidden))
            self.spatial.add_module(f"relu{i}", nn.ReLU())
        self.spatial.add_module("last", nn.Conv2d(hidden, 1, 1))

    def forward(self, x):
        channel = self.channel(F.avg_pool2d(x, x.shape[2:]))[:, :, None, None].expand_as(x)
        spatial = self.spatial(x).expand_as(x)
        gate = 1 + torch.sigmoid(channel * spatial if self.product else channel + spatial)
        return gate * x


class PastedPlane(nn.Module):
    """Max and mean over the channels, convolution, batch norm, sigmoid: one of triplet attention's gates."""

    def __init__(self, kernel_size: int):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=(kernel_size - 1) // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x):
        pooled = torch.cat((torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)), dim=1)
        return x * torch.sigmoid(self.norm(self.conv(pooled)))


class PastedTripletAttention(nn.Module):
    """The whole map rotated, gated and rotated back, each time copied; three full-size results averaged."""

    def __init__(self, channels: int, kernel_size: int = 7, spatial: bool = True):
        super().__init__()
        self.spatial = spatial
        self.cw, self.hc = PastedPlane(kernel_size), PastedPlane(kernel_size)
        if spatial:
            self.hw = PastedPlane(kernel_size)

    def forward(self, x):
        over_height = self.cw(x.permute(0, 2, 1, 3).contiguous()).permute(0, 2, 1, 3).contiguous()
        over_width = self.hc(x.permute(0, 3, 2, 1).contiguous()).permute(0, 3, 2, 1).contiguous()
        if not self.spatial:
            return 1 / 2 * (over_height + over_width)
        return 1 / 3 * (self.hw(x) + over_height + over_width)


class PastedNonLocal(nn.Module):
    """The table of all weights between pixels written out and normalised, then multiplied.

    Files in circulation drop an odd row or column at the edge when they pool; ours and this one keep it.
    """

    def __init__(self, channels: int, reduction: int = 2):
        super().__init__()
        self.hidden = channels // reduction
        self.theta = nn.Conv2d(channels, self.hidden, 1)
        self.phi = nn.Conv2d(channels, self.hidden, 1)
        self.g = nn.Conv2d(channels, self.hidden, 1)
        self.out = nn.Sequential(nn.Conv2d(self.hidden, channels, 1), nn.BatchNorm2d(channels))
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x):
        b, _, h, w = x.shape
        pooled = self.pool(x)
        theta = self.theta(x).view(b, self.hidden, -1).permute(0, 2, 1)
        phi = self.phi(pooled).view(b, self.hidden, -1)
        g = self.g(pooled).view(b, self.hidden, -1).permute(0, 2, 1)
        weights = F.softmax(torch.matmul(theta, phi) * self.hidden**-0.5, dim=-1)
        y = torch.matmul(weights, g).permute(0, 2, 1).contiguous().view(b, self.hidden, h, w)
        return x + self.out(y)
