"""Edits of the labels of one image as numbers; without pyarrow, so that sandboxed code starts quickly.

Rows of float64, (k, 8), the columns of COLUMNS. kind: index into KINDS; box: row among the boxes of the image, -1 for
an added one; xyxy in pixels, nan where the kind has none; label: class index, -1 where the kind has none; confidence:
0 to 1.
"""

KINDS = ("drop", "move", "relabel", "add")
DROP, MOVE, RELABEL, ADD = range(len(KINDS))
COLUMNS = ("kind", "box", "x1", "y1", "x2", "y2", "label", "confidence")
