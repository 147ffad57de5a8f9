"""DO: one file per step of a study; a pure function and a thin file-in, file-out main()."""
