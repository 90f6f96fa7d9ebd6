"""Names of operators: whatever front end gives them, they can be shown, or the network is refused."""

import pytest
from hostile import PRINTED, UNPRINTED

from hotnas_hls.errors import UnsupportedNetwork
from hotnas_hls.network.graph import Graph, Node, OpKind


def graph(name: str, operator: str) -> Graph:
    nodes = [Node("x", OpKind.INPUT, (), (1, 4, 4)), Node(operator, OpKind.RELU, ("x",), (1, 4, 4))]
    return Graph(name, nodes)


@pytest.mark.parametrize("name", PRINTED)
def test_everything_that_prints_is_kept(name: str):
    assert [node.name for node in graph(name, name)] == ["x", name]


def test_all_that_does_not_print_is_listed():
    for name in UNPRINTED:
        with pytest.raises(UnsupportedNetwork) as caught:
            graph(name, name + "y")
        headline, *problems = str(caught.value).splitlines()
        assert headline == "names that cannot stand in a table or a file:"
        assert len(problems) == 2 and all(line.endswith("does not print; leave it out") for line in problems)
