"""The *published* HotNAS rule, kept to reproduce the published tables and nothing else.

Source: ``/work/shared/reference/hotnas.md`` (section numbers in the docstrings of this package).
The rule is wrong about real networks (it divides by the stride twice, shrinks ResNet maps twice and
charges every tile full size), so nothing here may be used to size an accelerator or to predict one:
that is ``hotnas_hls.accel``.
"""
