"""The service. Lambda imports this before all else in INIT."""

import gc

# A tenth of INIT would go into looking for garbage, of which imports leave hardly any.
gc.disable()  # until Connection is made
