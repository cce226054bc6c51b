# ansible-test would download get-pip.py from a host of its own; Python brings a pip.
import ensurepip

ensurepip.bootstrap()
