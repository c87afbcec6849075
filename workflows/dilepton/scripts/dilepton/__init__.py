"""The dilepton analysis: generation, reduction, histograms and fit of a search for Z′ → ℓℓ."""
