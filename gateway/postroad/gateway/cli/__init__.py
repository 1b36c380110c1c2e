"""The ``postroad`` command's parts, one file a command group; imported when they are used."""
