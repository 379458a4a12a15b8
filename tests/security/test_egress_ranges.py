import ipaddress

import pytest

from orchestrator.engines.egress import BLOCKED


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",  # the metadata of most clouds
        "100.100.100.200",  # Alibaba's
        "192.0.0.192",  # Oracle's
        "168.63.129.16",  # Azure's host
        "198.18.0.1",  # benchmarks, and networks of those who ran out of private ranges
        "192.168.0.1", "10.0.0.1", "172.31.255.255", "127.0.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255",
    ],
)  # fmt: skip
def test_addresses_of_machines_and_their_keepers_are_out_of_reach(address: str) -> None:
    wanted = ipaddress.ip_address(address)
    assert any(wanted in ipaddress.ip_network(blocked) for blocked in BLOCKED)
