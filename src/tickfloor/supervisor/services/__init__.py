"""The parent halves of what workers need: one service a file."""
