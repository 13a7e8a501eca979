EVENT = """\
      Events:
        NewFunction:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /new-function
"""
