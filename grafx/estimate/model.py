"""The network: an encoder of what is heard, a decoder of tokens, and heads for settings."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from .recipe import Sizes
from .tokens import Vocabulary

Features = Mapping[str, Tensor]
"""Features of some sounds, see :func:`.features`."""
END = 0


class Network(nn.Module):
    """Logits of the next token, and the settings of each node, given the tokens before and what was heard.

    Args:
        vocabulary: The tokens, and the settings of each.
        like: Features of some sound, for their shapes.
        sizes: See :class:`.Sizes`.

    Attributes:
        low, span: Where the settings of a token lie, ``(tokens, settings)``; the head for a control says where within.
    """

    used: Tensor
    low: Tensor
    span: Tensor

    def __init__(self, vocabulary: Vocabulary, like: Features, sizes: Sizes) -> None:
        super().__init__()
        counts = [0, *(node_type.size for node_type, _ in vocabulary.kinds)]
        counts += [0] * (len(vocabulary) - len(counts))
        tokens, most, width = len(vocabulary), max(1, *counts), sizes.width
        self.register_buffer("used", torch.arange(most) < torch.tensor(counts)[:, None], persistent=False)
        self.register_buffer("low", torch.zeros(tokens, most))
        self.register_buffer("span", torch.ones(tokens, most))
        self.encoder = Encoder(like, sizes)
        self.token = nn.Embedding(tokens + 1, width)  # the last one begins a sequence
        layer = nn.TransformerDecoderLayer(
            width, sizes.heads, 2 * width, sizes.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.decoder = nn.TransformerDecoder(layer, sizes.decoder_layers, nn.LayerNorm(width))
        self.next = nn.Linear(width, tokens)
        self.heads = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, tokens * most))
        self.presence = nn.Linear(width, tokens)

    def forward(self, heard: Features, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predict each next token and the settings of each token.

        Args:
            heard: Features, ``(B, …)``.
            tokens: ``(B, T)``.

        Returns:
            ``(B, T + 1, tokens)`` logits of the tokens at all places and one beyond; ``(B, T, settings)``, each from 0
            to 1 within what it is in training; and ``(B, tokens)`` logits of which tokens there are at all.
        """
        memory = self.encoder(heard)
        logits, within = self.decode(memory, tokens)
        return logits, within, self.presence(memory.mean(1))

    def decode(self, memory: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`forward`, of what the encoder returned."""
        first = tokens.new_full((len(tokens), 1), self.token.num_embeddings - 1)
        x = self.token(torch.cat([first, tokens], 1))
        x = x + places(x.shape[1], x.shape[2], x.device)
        mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        x = self.decoder(x, memory, tgt_mask=mask)
        heads = self.heads(x[:, 1:]).unflatten(2, self.used.shape)
        own = heads.gather(2, tokens[..., None, None].expand(-1, -1, 1, heads.shape[3])).squeeze(2)
        return self.next(x), own.sigmoid()

    def settings(self, within: Tensor, tokens: Tensor) -> Tensor:
        """Normalized settings of tokens."""
        return self.low[tokens] + self.span[tokens] * within


def places(count: int, width: int, device: torch.device) -> Tensor:
    """Sines and cosines of positions, ``(count, width)``, which know no longest sequence."""
    rates = torch.exp(torch.arange(width // 2, device=device) * (-6.9 / (width // 2)))
    angles = torch.arange(count, device=device)[:, None] * rates
    return 0.3 * torch.cat([angles.sin(), angles.cos()], 1)


class Encoder(nn.Module):
    """A few vectors from each feature, which a transformer mixes: ``(B, parts, width)``.

    Spectrograms keep their time, a vector a third of a second; levels forget theirs, as sounds may begin anywhere.
    Where a response or a spectrum has something is told by where it is.
    """

    def __init__(self, like: Features, sizes: Sizes) -> None:
        super().__init__()
        width, some = sizes.width, sizes.channels
        like = {name: value[:1].float() for name, value in like.items()}
        mel, levels = completed(like)
        self.mel = nn.Sequential(
            nn.Conv2d(mel.shape[1], some, 4, 4, 2),
            nn.GELU(),
            nn.Conv2d(some, 2 * some, 3, 2, 1),
            nn.GELU(),
            nn.Conv2d(2 * some, 3 * some, 3, 2, 1),
            nn.GELU(),
            nn.Flatten(1, 2),
        )
        self.levels = _lines(levels.shape[1], [(some, 8, 4), (2 * some, 4, 2), (2 * some, 4, 2)])
        self.response = nn.Sequential(
            *_lines(like["response"].shape[1], [(some, 9, 4), (2 * some, 5, 2)]), nn.Flatten()
        )
        self.spectrum = nn.Sequential(
            *_lines(like["spectrum"].shape[1], [(2 * some, 7, 2), (2 * some, 5, 2)]), nn.Flatten()
        )
        with torch.no_grad():
            self.from_mel = nn.Linear(self.mel(mel).shape[1], width)
            self.from_response = nn.Linear(self.response(like["response"]).shape[1], 2 * width)
            self.from_spectrum = nn.Linear(self.spectrum(like["spectrum"]).shape[1], 2 * width)
        self.from_levels = nn.Linear(4 * some, 2 * width)
        self.statistics = nn.Sequential(
            nn.Linear(like["statistics"].shape[1], 2 * width), nn.GELU(), nn.Linear(2 * width, 2 * width)
        )
        self.mix: nn.Module = nn.Identity()
        if sizes.encoder_layers:
            layer = nn.TransformerEncoderLayer(
                width, sizes.heads, 2 * width, sizes.dropout, "gelu", batch_first=True, norm_first=True
            )
            self.mix = nn.TransformerEncoder(
                layer, sizes.encoder_layers, nn.LayerNorm(width), enable_nested_tensor=False
            )
        with torch.no_grad():
            self.place = nn.Parameter(0.02 * torch.randn(self.parts(like).shape[1:]))

    def parts(self, heard: Features) -> Tensor:
        mel, levels = completed(heard)
        levels = self.levels(levels)
        pairs = (
            self.from_levels(torch.cat([levels.mean(-1), levels.amax(-1)], 1)),
            self.from_response(self.response(heard["response"].float())),
            self.from_spectrum(self.spectrum(heard["spectrum"].float())),
            self.statistics(heard["statistics"].float()),
        )
        return torch.cat(
            [self.from_mel(self._mel(mel).transpose(1, 2)), *(pair.unflatten(1, (2, -1)) for pair in pairs)], 1
        )

    def _mel(self, mel: Tensor) -> Tensor:
        if mel.device.type != "cpu":
            return self.mel(mel)
        with torch.autocast("cpu", enabled=False):  # where plane convolutions of bfloat16 now and then give NaN
            return self.mel(mel)

    def forward(self, heard: Features) -> Tensor:
        return self.mix(self.parts(heard) + self.place)


def completed(heard: Features) -> tuple[Tensor, Tensor]:
    """Spectrograms and levels, with how the output differs from the dry sound."""
    mel, levels = heard["mel"].float(), heard["levels"].float()
    half = levels.shape[1] // 2
    return (
        torch.cat([mel, mel[:, 1:2] - mel[:, :1]], 1),
        torch.cat([levels, levels[:, half:] - levels[:, :half]], 1),
    )


def _lines(channels: int, layers: Sequence[tuple[int, int, int]]) -> nn.Sequential:
    """Convolutions along a line, each given by its channels, size and stride."""
    made: list[nn.Module] = []
    for after, size, stride in layers:
        made += [nn.Conv1d(channels, after, size, stride, size // 2), nn.GELU()]
        channels = after
    return nn.Sequential(*made)


def losses(
    network: nn.Module, used: Tensor, heard: Features, tokens: Tensor, within: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Mean losses over examples, so that those of parts of a batch have the mean of the whole.

    Args:
        network: A :class:`Network`.
        used: Its attribute, which settings a token has.
        heard: Features of the sounds, ``(B, …)``.
        tokens: ``(B, T)``, filled up with the token of the end.
        within: ``(B, T, settings)``, from 0 to 1 within what they are in training.

    Returns:
        ``"tokens"``, the cross entropy of sequences; ``"settings"``, the mean error within what settings are in
        training; and ``"presence"``, the cross entropy of which tokens there are at all. Beside these, where the
        settings of all tokens but the last lie within.
    """
    logits, guessed, presence = network(heard, tokens[:, :-1])
    ended = F.pad((tokens == END).cumsum(1), (1, 0))[:, :-1] > 0
    each = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").masked_fill(ended, 0.0)
    told = used[tokens[:, :-1]]
    apart = (guessed - within[:, :-1]).abs() * told
    there = torch.zeros_like(presence).scatter_(1, tokens, 1.0)
    found = {
        "tokens": each.sum(1).mean(),
        "settings": (apart.sum((1, 2)) / told.sum((1, 2)).clamp(min=1)).mean(),
        "presence": F.binary_cross_entropy_with_logits(presence, there),
    }
    return found, guessed
