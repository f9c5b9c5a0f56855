"""EC2 without a network, for every test here that asks for it."""

from tests.infra.offline_ec2 import ec2 as ec2
