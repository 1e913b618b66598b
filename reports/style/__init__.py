"""How figures look: sheets, axes, text that fits, and the matplotlib style."""
