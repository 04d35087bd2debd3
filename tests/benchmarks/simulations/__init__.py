"""Simulations whose truth is known: each topic is a module with one function, ``simulate``.

``simulate(repetitions, seed)`` returns one row per claim: ``what`` (the interval, test or method), ``accounts`` (the
size of the simulated world, or another size it names), ``measured`` (a share: coverage, false positives), ``low`` and
``high`` (what the kit promises; missing where the figure is only reported).
"""
