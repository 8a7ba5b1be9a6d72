"""``grafx export`` to languages of programs that draw."""

import json

import networkx as nx
import pytest

from grafx.data import load_grafx


@pytest.mark.parametrize("to, suffix", [("dot", ".dot"), ("mermaid", ".mmd"), ("cytoscape", ".cyjs"), ("tikz", ".tex")])
def test_a_found_graph_is_written(cli, searched, tmp_path, to, suffix):
    out = tmp_path / "new" / f"graph{suffix}"
    result = cli.run("export", searched.folder, "--to", to, "--out", out)
    assert result.exit_code == 0, result.output
    assert str(out) in result.output.replace("\n", "")
    text, G = out.read_text(encoding="utf-8"), load_grafx(searched.folder)[0]
    assert {"dot": "digraph", "mermaid": "flowchart", "cytoscape": "elements", "tikz": "tikzpicture"}[to] in text
    assert "kick" in text and "pad" in text
    if to == "cytoscape":
        read = nx.cytoscape_graph(json.loads(text))
        assert nx.is_isomorphic(nx.MultiDiGraph(read), nx.MultiDiGraph(G))
        weighted = [data for _, data in read.nodes(data=True) if "drywet_weight" in data]
        assert len(weighted) == sum("drywet_weight" in data for _, data in G.nodes(data=True)) > 0
    assert cli.run("export", searched.folder, "--to", to, "--out", out.with_suffix(".txt")).exit_code == 2
