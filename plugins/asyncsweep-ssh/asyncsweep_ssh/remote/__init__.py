"""What runs on the host: standard library, msgpack and the parts of asyncsweep that travel with it. Python >= 3.10.

```
sshd ── keeper ── agent ── guard ── worker ── whatever the objective starts
          │         └─ one stream to the controller; ends all when that ends, or is silent for longer than the lease
          └─ ends what is left when the agent has ended, however it did, and removes the folder
```
"""
