"""How much of what accounts could hold they do hold: counted, measured, compared."""
