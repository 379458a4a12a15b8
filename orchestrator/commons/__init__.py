"""The commons: git repositories that the people of one server publish, clone and push to.

``names``, ``git``, ``store``, ``checks`` and ``transport`` know git and the disk, not the database;
the other modules are use cases over rows.
"""
