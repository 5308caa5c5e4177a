"""ZAP's alerts and the configurations that answer them."""
