def differ() -> None:
    """Have a copy generate other values than its siblings do.

    What comes from `os.urandom`, such as the ids of the driver's sessions, differs by itself.
    """
    random.seed()
    # An ObjectId is the time, a random value of the process, and a counter that starts anywhere.
    # The driver takes another random value when it finds itself in another process.
    ObjectId._pid = 0
    ObjectId._inc = secrets.randbelow(1 << 24)
