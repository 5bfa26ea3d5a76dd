"""Policies over the network: protocol, server, client, export."""
