"""The network of a model: an encoder of features, a decoder of tokens, and heads for settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """Sizes of a network.

    Attributes:
        width: Of all vectors that attention mixes.
        heads: Of attention.
        encoder_layers: Transformer layers over what was heard.
        decoder_layers: Transformer layers over tokens.
        channels: Of the first convolution over spectrograms; each of the next has more.
        dropout: Share of units that a training step leaves out.
    """

    width: int = 128
    heads: int = 4
    encoder_layers: int = 2
    decoder_layers: int = 2
    channels: int = 24
    dropout: float = 0.1


class Network(nn.Module):
    """Logits of the next token, and settings of each node, given the tokens before and what was heard.

    Args:
        columns: ``(tokens, columns)``: which columns of all settings those of a token's nodes are.
        like: Features of some sound, for their shapes.
        sizes: See :class:`Sizes`.
        longest: Most tokens of a sequence.
    """

    def __init__(self, columns: Tensor, like: Mapping[str, Tensor], sizes: Sizes, longest: int) -> None:
        super().__init__()
        self.register_buffer("columns", columns.float(), persistent=False)
        tokens, settings = columns.shape
        width = sizes.width
        self.encoder = Encoder(like, sizes)
        self.token = nn.Embedding(tokens + 1, width)  # the last one begins a sequence
        self.place = nn.Parameter(0.02 * torch.randn(longest + 1, width))
        layer = nn.TransformerDecoderLayer(
            width, sizes.heads, 2 * width, sizes.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, sizes.decoder_layers, nn.LayerNorm(width))
        self.next = nn.Linear(width, tokens)
        self.settings = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, settings))
        self.presence = nn.Linear(width, tokens)

    def forward(self, heard: Mapping[str, Tensor], tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predict each next token and the settings of each token.

        Args:
            heard: Features.
            tokens: ``(B, T)``.

        Returns:
            ``(B, T + 1, tokens)`` logits of the tokens at all places and one beyond, ``(B, T, columns)`` settings from
            0 to 1, and ``(B, tokens)`` logits of which tokens there are.
        """
        memory = self.encoder(heard)
        logits, settings = self.decode(memory, tokens)
        return logits, settings, self.presence(memory.mean(1))

    def decode(self, memory: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        first = tokens.new_full((len(tokens), 1), self.token.num_embeddings - 1)
        x = self.token(torch.cat([first, tokens], 1)) + self.place[: tokens.shape[1] + 1]
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        x = self.decoder(x, memory, tgt_mask=mask)
        return self.next(x), self.settings(x[:, 1:]).sigmoid()


class Encoder(nn.Module):
    """A few vectors from each feature, which a transformer mixes: ``(B, parts, width)``."""

    def __init__(self, like: Mapping[str, Tensor], sizes: Sizes) -> None:
        super().__init__()
        width, some = sizes.width, sizes.channels
        mel, levels = self.completed(like)
        self.mel = nn.Sequential(
            nn.Conv2d(mel.shape[1], some, 4, 4),
            nn.GELU(),
            nn.Conv2d(some, 2 * some, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(2 * some, 3 * some, 3, 2, 1),
            nn.GELU(),
            nn.Flatten(1, 2),
        )
        self.from_mel = nn.LazyLinear(width)
        self.levels = nn.Sequential(
            nn.Conv1d(levels.shape[1], some, 8, 4),
            nn.GELU(),
            nn.Conv1d(some, 2 * some, 4, 2),
            nn.GELU(),
            nn.Conv1d(2 * some, 2 * some, 4, 2),
            nn.GELU(),
            nn.Flatten(),
            nn.LazyLinear(4 * width),
        )
        self.flat = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Flatten(), nn.Linear(like[name][0].numel(), 2 * width), nn.GELU(), nn.Linear(2 * width, 2 * width)
                )
                for name in ("response", "spectrum", "statistics")
            }
        )
        layer = nn.TransformerEncoderLayer(
            width, sizes.heads, 2 * width, sizes.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.mix = nn.TransformerEncoder(layer, sizes.encoder_layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.place = nn.Parameter(0.02 * torch.randn(self.parts(like).shape[1], width))

    @staticmethod
    def completed(heard: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Spectrograms and levels, with how the output differs from the dry sound."""
        mel, levels = heard["mel"].float(), heard["levels"].float()
        return torch.cat([mel, mel[:, 1:2] - mel[:, :1]], 1), torch.cat([levels, levels[:, 3:] - levels[:, :3]], 1)

    def parts(self, heard: Mapping[str, Tensor]) -> Tensor:
        mel, levels = self.completed(heard)
        found = [self.from_mel(self.mel(mel).transpose(1, 2)), self.levels(levels).unflatten(1, (4, -1))]
        found += [layers(heard[name].float()).unflatten(1, (2, -1)) for name, layers in self.flat.items()]
        return torch.cat(found, 1)

    def forward(self, heard: Mapping[str, Tensor]) -> Tensor:
        return self.mix(self.parts(heard) + self.place)


def losses(
    network: Network, heard: Mapping[str, Tensor], tokens: Tensor, settings: Tensor, end: int
) -> dict[str, Tensor]:
    """Cross entropy of tokens, mean error of settings, and binary cross entropy of which tokens there are.

    Args:
        network: The network.
        heard: Features of the sounds.
        tokens: ``(B, T)``, filled up with ``end``.
        settings: ``(B, T, columns)``.
        end: The token that ends a sequence.
    """
    logits, guessed, presence = network(heard, tokens[:, :-1])
    target = tokens
    used = (F.pad((tokens == end).long(), (1, 0))[:, :-1].cumsum(1) == 0).float()
    each = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
    columns = network.columns[tokens[:, :-1]]
    apart = (guessed - settings[:, :-1]).abs() * columns
    there = torch.zeros_like(presence).scatter_(1, tokens, 1.0)
    return {
        "tokens": (each * used).sum(1).mean(),
        "settings": (apart.sum((1, 2)) / columns.sum((1, 2)).clamp(min=1)).mean(),
        "presence": F.binary_cross_entropy_with_logits(presence, there),
    }
