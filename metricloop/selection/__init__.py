"""SELECTION: scores become subsets: policies, their options, and the draw. Imports `data`, `text`,
`config`, `layout`."""
