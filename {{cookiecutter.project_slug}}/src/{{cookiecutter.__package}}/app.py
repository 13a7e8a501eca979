{% include 'app/single.py' if cookiecutter.layout == 'single' else 'app/multi.py' -%}
