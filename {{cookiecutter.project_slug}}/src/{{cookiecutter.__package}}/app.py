{% include 'src/app.py/' ~ cookiecutter.layout ~ '.py' ignore missing -%}
