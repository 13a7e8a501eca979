{% include 'scripts/deploy/environment/' ~ cookiecutter.iac ~ '.py' -%}
