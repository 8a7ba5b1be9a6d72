"""What a worker of a local cluster loads first: it is the client that takes interrupts, and stops the workers."""

import signal
import threading

if threading.current_thread() is threading.main_thread():
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
