    if "RotationAdminSecretArn" in given and "AtlasProjectId" not in given:
        must_be = known["AtlasProjectId"].metadata["must_be"]
        faults.append(f"AtlasProjectId is missing. It must be {must_be}.")
